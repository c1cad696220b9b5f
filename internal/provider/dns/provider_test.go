package dns_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	miekg "github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/dns"
	"github.com/fairlead/fairlead/internal/provider/providertest"
)

const source = model.Source("dns/main")

func provider(t *testing.T, servers []string, services ...dns.Service) *dns.Provider {
	t.Helper()
	p, err := dns.New(dns.Config{
		Source: source, Servers: servers, Timeout: time.Second, MinTTL: 10 * time.Millisecond, MaxTTL: time.Minute,
		Services: services, Options: dynamic.WorkloadOptions{ExposedByDefault: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// labels make routes, each with a service of its own, as records of type TXT.
func labels(rules map[string]string) (lines []string) {
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		for _, label := range []string{
			"traefik.http.routers." + name + ".rule=" + rules[name],
			"traefik.http.routers." + name + ".service=" + name,
			"traefik.http.services." + name + ".loadbalancer.server.port=80",
		} {
			lines = append(lines, fmt.Sprintf("all.example. 0 IN TXT %q", label))
		}
	}
	return lines
}

func TestContract(t *testing.T) {
	providertest.Run(t, providertest.Harness{Start: func(t *testing.T) providertest.Place {
		s := serve(t)
		p := provider(t, []string{s.address}, dns.Service{Name: "all", Host: "all.example", Port: 80, TXT: true})
		set := func(rules map[string]string) {
			s.set(t, append(labels(rules), "all.example. 0 IN A 10.0.0.7")...)
		}
		set(nil)
		return providertest.Place{
			Source: source, Provider: p, Set: set,
			Spoil: func(rules map[string]string) {
				rules = maps.Clone(rules)
				rules["bad"] = "Hos("
				set(rules)
			},
			Break: func() { s.break_(-1) },
			Heal:  func() { s.break_(0) },
		}
	}})
}

// text writes a snapshot: services with their endpoints, routes, problems.
func text(s model.Snapshot) string {
	var lines []string
	for _, o := range s.Services {
		line := "service " + o.Name.Name
		for _, e := range o.Endpoints {
			line += fmt.Sprintf(" %s×%d", e.Addr, e.Weight)
		}
		if o.Protocol != "" && o.Protocol != model.HTTP {
			line += fmt.Sprintf(" (%s)", o.Protocol)
		}
		if len(o.Backends) > 0 {
			line += fmt.Sprintf(" %s", o.Use)
		}
		if by, ok := model.Find(s.Transports, o.Transport); ok {
			line += " named " + by.TLS.ServerName
		}
		for _, b := range o.Backends {
			line += " " + b.Service.Name.Name
		}
		lines = append(lines, line)
	}
	for _, r := range s.Routes {
		lines = append(lines, fmt.Sprintf("route %s to %s", r.Name, r.Backends[0].Service.Name))
	}
	for _, p := range s.Problems {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// running is a provider at work.
type running struct {
	t         *testing.T
	published chan string
	ended     chan error
}

func run(t *testing.T, p *dns.Provider) *running {
	t.Helper()
	ignore := goleak.IgnoreCurrent()
	r := &running{t, make(chan string, 1000), make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.ended <- p.Run(ctx, func(s model.Snapshot) { r.published <- text(s) })
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		goleak.VerifyNone(t, ignore)
	})
	return r
}

// until waits for a snapshot like this.
func (r *running) until(want string) {
	r.t.Helper()
	var got string
	for got != want {
		select {
		case got = <-r.published:
		case err := <-r.ended:
			r.t.Fatalf("ended: %v", err)
		case <-time.After(20 * time.Second):
			r.t.Fatalf("published last\n%s\nwant\n%s", got, want)
		}
	}
}

func TestAnswers(t *testing.T) {
	for _, test := range []struct {
		name    string
		service dns.Service
		zone    []string
		want    string
	}{
		{
			"addresses", dns.Service{Port: 80, Scheme: "https"},
			[]string{"shop.example. A 10.0.0.2", "shop.example. A 10.0.0.1", "shop.example. AAAA fd00::1"},
			"service shop 10.0.0.1:80×1 10.0.0.2:80×1 (https) named shop.example",
		},
		{
			"IPv6 where there is no IPv4", dns.Service{Port: 80}, []string{"shop.example. AAAA fd00::1"},
			"service shop [fd00::1]:80×1",
		},
		{
			"one type alone", dns.Service{Port: 80, Type: "AAAA"},
			[]string{"shop.example. A 10.0.0.2", "shop.example. AAAA fd00::1"}, "service shop [fd00::1]:80×1",
		},
		{
			"aliases", dns.Service{Port: 80},
			[]string{"shop.example. CNAME a.example.", "a.example. CNAME b.example.", "b.example. A 10.0.0.1"},
			"service shop 10.0.0.1:80×1",
		},
		{
			"addresses that lead nowhere", dns.Service{Port: 80},
			[]string{"shop.example. A 0.0.0.0", "shop.example. A 169.254.169.254", "shop.example. A 224.0.0.1",
				"shop.example. A 10.0.0.1"},
			"service shop 10.0.0.1:80×1",
		},
		{
			"SRV", dns.Service{Type: "SRV", Labels: map[string]string{"traefik.http.routers.shop.rule": "Path(`/`)"}},
			[]string{"shop.example. SRV 10 60 8080 a.example.", "shop.example. SRV 10 0 8081 b.example.",
				"a.example. A 10.0.0.1", "b.example. AAAA fd00::1"},
			"service shop 10.0.0.1:8080×60 [fd00::1]:8081×1\nroute shop to shop",
		},
		{
			"SRV with priorities", dns.Service{Type: "SRV", Scheme: "https", Labels: map[string]string{
				"traefik.http.routers.r.rule": "Path(`/`)",
			}},
			[]string{"shop.example. SRV 10 1 80 a.example.", "shop.example. SRV 20 3 81 a.example.",
				"shop.example. SRV 20 1 82 a.example.", "shop.example. SRV 30 1 83 a.example.", "a.example. A 10.0.0.1"},
			"service shop failover shop-10 shop-from-20\nservice shop-10 10.0.0.1:80×1 (https)\n" +
				"service shop-20 10.0.0.1:81×3 10.0.0.1:82×1 (https)\nservice shop-30 10.0.0.1:83×1 (https)\n" +
				"service shop-from-20 failover shop-20 shop-30\nroute r to shop",
		},
		{
			"SRV with priorities, for TCP", dns.Service{Type: "SRV", Labels: map[string]string{
				"traefik.tcp.routers.r.rule": "HostSNI(`*`)",
			}},
			[]string{"shop.example. SRV 10 1 80 a.example.", "shop.example. SRV 20 3 81 a.example.", "a.example. A 10.0.0.1"},
			"service shop 10.0.0.1:80×1 (tcp)\nroute r to shop\n" +
				"SRV shop.example: only services of HTTP, one for a name, fail over to another priority; those of the first are " +
				"served (unsupported, service shop@dns/main)",
		},
		{
			"SRV that says no", dns.Service{Type: "SRV"}, []string{"shop.example. SRV 0 0 0 ."}, "service shop",
		},
		{
			"nothing", dns.Service{Port: 80}, nil,
			"service shop\nAAAA shop.example: there is no such name (NXDOMAIN) (unknown_service, service shop@dns/main)",
		},
		{
			"labels", dns.Service{Port: 80, TXT: true, Labels: map[string]string{"traefik.http.routers.a.rule": "Path(`/`)"}},
			[]string{"shop.example. A 10.0.0.1", `shop.example. TXT "traefik.http.routers.a.rule=Path(` + "`/no`" + `)"`,
				`shop.example. TXT "v=spf1 -all"`, "shop.example. TXT \"traefik.http.routers.b.ru\" \"le=Path(`/b`)\""},
			"service shop 10.0.0.1:80×1\nroute a to shop\nroute b to shop",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t)
			s.set(t, test.zone...)
			test.service.Name, test.service.Host = "shop", "Shop.example"
			r := run(t, provider(t, []string{s.address}, test.service))
			select {
			case got := <-r.published:
				if got != test.want {
					t.Errorf("published\n%s\nwant\n%s", got, test.want)
				}
			case err := <-r.ended:
				t.Fatal(err)
			}
		})
	}
}

// An answer that has no room in a datagram is asked for over TCP, and one with too many records is cut.
func TestLongAnswer(t *testing.T) {
	s := serve(t)
	var zone []string
	for i := range 300 {
		zone = append(zone, fmt.Sprintf("shop.example. A 10.0.%d.%d", i/200, i%200+1))
	}
	s.set(t, zone...)
	r := run(t, provider(t, []string{s.address}, dns.Service{Name: "shop", Host: "shop.example", Port: 80}))
	got := <-r.published
	if n := strings.Count(got, ":80×1"); n != 256 || !strings.Contains(got, "44 records too many") {
		t.Errorf("%d endpoints: %s", n, got)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if want := []string{"udp A shop.example.", "tcp A shop.example."}; !slices.Equal(s.asked[:2], want) {
		t.Errorf("asked %v, want %v", s.asked, want)
	}
}

// A server that says nothing, or that it cannot say, is one of several; the name that fails alone is served on.
func TestServers(t *testing.T) {
	silent, failing, good := serve(t), serve(t), serve(t)
	silent.break_(-1)
	failing.break_(miekg.RcodeServerFailure)
	good.set(t, "shop.example. 0 A 10.0.0.1", "blog.example. 0 A 10.0.0.2")
	p := provider(t, []string{silent.address, failing.address, good.address},
		dns.Service{Name: "shop", Host: "shop.example", Port: 80}, dns.Service{Name: "blog", Host: "blog.example", Port: 80})
	r := run(t, p)
	const both = "service blog 10.0.0.2:80×1\nservice shop 10.0.0.1:80×1"
	r.until(both)

	good.break_(miekg.RcodeServerFailure)
	const says = " says SERVFAIL; the last answer is served "
	r.until(both + "\nA blog.example: " + failing.address + says + "(stale, service blog@dns/main)" +
		"\nA shop.example: " + failing.address + says + "(stale, service shop@dns/main)")
	good.break_(0)
	r.until(both)
}
