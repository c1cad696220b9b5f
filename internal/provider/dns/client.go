package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

const (
	resolvConf = "/etc/resolv.conf"
	// udpSize is what an answer over UDP may have so that it is not cut into pieces on the way (DNS flag day 2020).
	udpSize = 1232
)

// errSilent says that no server answered.
var errSilent = errors.New("no DNS server answers")

// question is what is asked: a name, in lower case and with a dot at its end, and a type of records.
type question struct {
	host string
	kind uint16
}

// String returns "SRV _shop._tcp.example".
func (q question) String() string {
	return dns.TypeToString[q.kind] + " " + q.host[:max(len(q.host)-1, 1)]
}

// canonical returns a name as questions have it.
func canonical(host string) string { return dns.CanonicalName(host) }

// exchange asks one server, over "udp" or "tcp".
type exchange func(ctx context.Context, network, server string, m *dns.Msg) (*dns.Msg, error)

func overNetwork(ctx context.Context, network, server string, m *dns.Msg) (*dns.Msg, error) {
	c := dns.Client{Net: network, UDPSize: udpSize}
	answer, _, err := c.ExchangeContext(ctx, m, server)
	return answer, err
}

// client asks one of several servers. It may be used concurrently.
type client struct {
	servers  []string
	timeout  time.Duration
	exchange exchange
	first    atomic.Uint32 // the server that answered last
}

func newClient(c *Config, exchange exchange) (*client, error) {
	servers := c.Servers
	if len(servers) == 0 {
		system, err := dns.ClientConfigFromFile(resolvConf)
		if err != nil {
			return nil, err
		}
		for _, server := range system.Servers {
			servers = append(servers, net.JoinHostPort(server, system.Port))
		}
	}
	if len(servers) == 0 {
		return nil, errors.New(resolvConf + " names none")
	}
	return &client{servers: servers, timeout: c.Timeout, exchange: exchange}, nil
}

// ask asks the servers until one knows. The error is errSilent where none says anything.
func (c *client) ask(ctx context.Context, q question) reply {
	r := reply{question: q, asked: time.Now()}
	first := c.first.Load()
	var silent, failed error
	for i := range c.servers {
		n := (int(first) + i) % len(c.servers)
		m, err := c.try(ctx, c.servers[n], q)
		switch {
		case err != nil:
			silent = fmt.Errorf("%w: %s: %w", errSilent, c.servers[n], brief(err))
		case m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError:
			failed = fmt.Errorf("%s says %s", c.servers[n], rcode(m.Rcode))
		default:
			c.first.Store(uint32(n))
			r.message = m
			return r
		}
	}
	if r.err = failed; failed == nil {
		r.err = silent
	}
	return r
}

// try asks one server, over TCP where the answer has no room in a datagram.
func (c *client) try(ctx context.Context, server string, q question) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	m := new(dns.Msg)
	m.SetQuestion(q.host, q.kind)
	m.SetEdns0(udpSize, false)
	answer, err := c.exchange(ctx, "udp", server, m)
	if err == nil && answer.Truncated || errors.Is(err, dns.ErrBuf) {
		answer, err = c.exchange(ctx, "tcp", server, m)
	}
	switch {
	case err != nil:
		return nil, err
	case !isAbout(answer, q):
		return nil, errors.New("another question is answered")
	case answer.Truncated:
		return nil, errors.New("the answer has no room in 64 KiB")
	}
	return answer, nil
}

func isAbout(m *dns.Msg, q question) bool {
	return m.Response && len(m.Question) == 1 && canonical(m.Question[0].Name) == q.host && m.Question[0].Qtype == q.kind
}

func rcode(code int) string {
	if text, ok := dns.RcodeToString[code]; ok {
		return text
	}
	return fmt.Sprintf("RCODE %d", code)
}

// brief leaves out of an error what differs from try to try.
func brief(err error) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Err
	}
	return err
}
