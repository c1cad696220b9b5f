package dns

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// world is a DNS on virtual time: what is answered now, and when it was asked for.
type world struct {
	t      *testing.T
	start  time.Time
	mu     sync.Mutex
	says   []string // records; "NXDOMAIN", "SERVFAIL", "silence" or "lie"
	asked  []string
	latest model.Snapshot
	ended  error
}

func (w *world) exchange(_ context.Context, network, server string, m *dns.Msg) (*dns.Msg, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, fmt.Sprint(time.Since(w.start).Round(time.Second)))
	answer := new(dns.Msg)
	answer.SetReply(m)
	for _, line := range w.says {
		switch line {
		case "NXDOMAIN":
			answer.Rcode = dns.RcodeNameError
			soa, _ := dns.NewRR("example. 600 SOA a. b. 1 1 1 1 7")
			answer.Ns = []dns.RR{soa}
		case "SERVFAIL":
			answer.Rcode = dns.RcodeServerFailure
		case "silence":
			return nil, errors.New("i/o timeout")
		case "lie":
			answer.Question[0].Name = "other.example."
		default:
			r, err := dns.NewRR(line)
			if err != nil {
				w.t.Error(err)
			}
			answer.Answer = append(answer.Answer, r)
		}
	}
	return answer, nil
}

// at runs a provider on virtual time and changes what DNS says at some seconds.
func (w *world) at(until time.Duration, emptyAfter time.Duration, steps map[int][]string) {
	p, err := New(Config{
		Source: "dns/main", Servers: []string{"a:53"}, Timeout: time.Second, MinTTL: 5 * time.Second, MaxTTL: time.Minute,
		EmptyAfter: emptyAfter, Services: []Service{{Name: "shop", Host: "shop.example", Type: "A", Port: 80}},
		Options: dynamic.WorkloadOptions{ExposedByDefault: true},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	p.exchange = w.exchange
	w.start = time.Now()
	ctx, cancel := context.WithTimeout(w.t.Context(), until)
	defer cancel()
	for second, says := range steps {
		time.AfterFunc(time.Duration(second)*time.Second, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.says = says
		})
	}
	time.Sleep(time.Millisecond)
	w.ended = p.Run(ctx, func(s model.Snapshot) { w.latest = s })
}

func (w *world) text() string {
	var text strings.Builder
	for _, s := range w.latest.Services {
		for _, e := range s.Endpoints {
			text.WriteString(e.Addr + " ")
		}
	}
	for _, p := range w.latest.Problems {
		fmt.Fprintf(&text, "[%s: %s]", p.Code, p.Message)
		if p.Code == model.Stale {
			fmt.Fprintf(&text, " since %v", p.Since.Sub(w.start).Round(time.Second))
		}
	}
	return strings.TrimSpace(text.String())
}

const home = "shop.example. 20 A 10.0.0.1"

func TestTTL(t *testing.T) {
	for _, test := range []struct {
		name       string
		emptyAfter time.Duration
		steps      map[int][]string
		asked      string // in the first minute
		want       string // at its end
	}{
		{"as long as it says", 0, map[int][]string{0: {home}}, "0s 20s 40s", "10.0.0.1:80"},
		{"not too often", 0, map[int][]string{0: {"shop.example. 0 A 10.0.0.1"}},
			"0s 5s 10s 15s 20s 25s 30s 35s 40s 45s 50s 55s", "10.0.0.1:80"},
		{"not too seldom", 0, map[int][]string{0: {"shop.example. 86400 A 10.0.0.1"}}, "0s", "10.0.0.1:80"},
		{"the shortest counts", 0,
			map[int][]string{0: {"shop.example. 30 CNAME a.example.", "a.example. 60 A 10.0.0.1"}}, "0s 30s", "10.0.0.1:80"},
		{"a change", 0, map[int][]string{0: {home}, 10: {"shop.example. 60 A 10.0.0.2"}}, "0s 20s", "10.0.0.2:80"},
		{"gone", 0, map[int][]string{0: {home}, 10: {"NXDOMAIN"}}, "0s 20s 27s 34s 41s 48s 55s",
			"[unknown_service: there is no such name (NXDOMAIN)]"},
		{"gone, not believed yet", 50 * time.Second, map[int][]string{0: {home}, 10: {"NXDOMAIN"}},
			"0s 20s 25s 30s 35s 40s 45s 50s 55s",
			"10.0.0.1:80 [stale: there is no such name (NXDOMAIN); the last answer is served] since 20s"},
		{"gone, then believed", 30 * time.Second, map[int][]string{0: {home}, 10: {"NXDOMAIN"}},
			"0s 20s 25s 30s 35s 40s 45s 50s 57s", "[unknown_service: there is no such name (NXDOMAIN)]"},
		{"gone for a moment", 30 * time.Second, map[int][]string{0: {home}, 10: {"NXDOMAIN"}, 32: {home}},
			"0s 20s 25s 30s 35s 55s", "10.0.0.1:80"},
		{"a failure", 0, map[int][]string{0: {home}, 10: {"SERVFAIL"}}, "0s 20s 21s 23s 27s 35s 51s",
			"10.0.0.1:80 [stale: a:53 says SERVFAIL; the last answer is served] since 20s"},
		{"a failure from the beginning, then an answer", 0, map[int][]string{0: {"SERVFAIL"}, 10: {home}},
			"0s 1s 3s 7s 15s 35s 55s", "10.0.0.1:80"},
		{"an answer to another question", 0, map[int][]string{0: {home}, 10: {"lie"}}, "0s 20s", "10.0.0.1:80"},
		{"silence", 0, map[int][]string{0: {home}, 10: {"silence"}}, "0s 20s", "10.0.0.1:80"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{t: t}
				w.at(time.Minute-time.Second, test.emptyAfter, test.steps)
				if got := strings.Join(w.asked, " "); got != test.asked {
					t.Errorf("asked at %s, want %s", got, test.asked)
				}
				if got := w.text(); got != test.want {
					t.Errorf("published %s, want %s", got, test.want)
				}
				last := test.steps[10]
				silent := len(last) > 0 && (last[0] == "silence" || last[0] == "lie")
				if silent != errors.Is(w.ended, errSilent) {
					t.Errorf("Run = %v", w.ended)
				}
			})
		})
	}
}

// FuzzRead: whatever a message says, it ends, and what is believed is of the type that was asked for.
func FuzzRead(f *testing.F) {
	for _, line := range []string{"shop.example. 1 A 10.0.0.1", "shop.example. 1 CNAME shop.example."} {
		m := new(dns.Msg)
		m.SetQuestion("shop.example.", dns.TypeA)
		m.Response = true
		r, _ := dns.NewRR(line)
		m.Answer = []dns.RR{r}
		data, _ := m.Pack()
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := new(dns.Msg)
		if m.Unpack(data) != nil {
			return
		}
		for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeSRV, dns.TypeTXT} {
			a, err := read(question{"shop.example.", kind}, m)
			if err != nil {
				continue
			}
			if len(a.records) > maxRecords || len(a.records) == 0 && a.reason == "" {
				t.Errorf("%d records, %q", len(a.records), a.reason)
			}
			for _, r := range a.records {
				if r.Header().Rrtype != kind {
					t.Errorf("asked for %d, believed %s", kind, r)
				}
			}
		}
	})
}
