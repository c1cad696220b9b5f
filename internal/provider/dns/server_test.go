package dns_test

import (
	"errors"
	"net"
	"strings"
	"sync"
	"testing"

	miekg "github.com/miekg/dns"
)

// server is a DNS server on loopback, with a zone that can be changed.
type server struct {
	address string

	mu      sync.Mutex
	records map[string][]miekg.RR // by "TYPE name."
	broken  int                   // a response code, for all names; -1: it says nothing
	asked   []string              // "udp TYPE name."
}

func serve(t *testing.T) *server {
	t.Helper()
	s := &server{records: map[string][]miekg.RR{}}
	udp, tcp, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	s.address = udp.LocalAddr().String()
	var running sync.WaitGroup
	t.Cleanup(running.Wait) // once they are told to end
	for _, one := range []*miekg.Server{{PacketConn: udp, Handler: s}, {Listener: tcp, Handler: s}} {
		up := make(chan struct{})
		one.NotifyStartedFunc = func() { close(up) }
		running.Go(func() {
			if err := one.ActivateAndServe(); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		})
		<-up
		t.Cleanup(func() { _ = one.Shutdown() })
	}
	return s
}

// listen returns two sockets with the same port.
func listen() (udp net.PacketConn, tcp net.Listener, err error) {
	for range 20 {
		if tcp, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, nil, err
		}
		if udp, err = net.ListenPacket("udp", tcp.Addr().String()); err == nil {
			return udp, tcp, nil
		}
		_ = tcp.Close()
	}
	return nil, nil, err
}

// set gives the zone these records and no others.
func (s *server) set(t *testing.T, lines ...string) {
	t.Helper()
	records := map[string][]miekg.RR{}
	for _, line := range lines {
		r, err := miekg.NewRR(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		key := miekg.TypeToString[r.Header().Rrtype] + " " + r.Header().Name
		records[key] = append(records[key], r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = records
}

func (s *server) break_(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = code
}

func (s *server) ServeDNS(w miekg.ResponseWriter, m *miekg.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind, name := miekg.TypeToString[m.Question[0].Qtype], m.Question[0].Name
	network := w.LocalAddr().Network()
	s.asked = append(s.asked, network+" "+kind+" "+name)
	answer := new(miekg.Msg)
	answer.SetReply(m)
	switch {
	case s.broken < 0:
		return
	case s.broken > 0:
		answer.Rcode = s.broken
	default:
		s.fill(answer, kind, name)
	}
	if network == "udp" {
		answer.Truncate(int(m.IsEdns0().UDPSize()))
	}
	_ = w.WriteMsg(answer) // a client that is gone is no failure
}

// fill answers as a resolver does, aliases and all.
func (s *server) fill(answer *miekg.Msg, kind, name string) {
	for range 20 {
		alias := s.records["CNAME "+name]
		if answer.Answer = append(answer.Answer, s.records[kind+" "+name]...); len(alias) == 0 {
			break
		}
		answer.Answer = append(answer.Answer, alias...)
		name = alias[0].(*miekg.CNAME).Target
	}
	for key := range s.records {
		if strings.HasSuffix(key, " "+name) {
			return
		}
	}
	if len(answer.Answer) == 0 {
		answer.Rcode = miekg.RcodeNameError
	}
}
