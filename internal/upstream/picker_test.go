package upstream

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/model"
)

// TestObservedSplit: what is sent is what the portions say, within one percent, for any policy and picker.
func TestObservedSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &model.Service{Name: model.Name{Name: "shop"}}
		s.Balance.Picker = rapid.SampledFrom([]model.Picker{"", model.P2C, model.WRR, model.LRQ}).Draw(t, "picker")
		for i := range rapid.IntRange(1, 5).Draw(t, "clusters") {
			name := string(rune('a' + i))
			s.Balance.Shares = append(s.Balance.Shares, model.Share{
				Cluster: name, Tier: rapid.IntRange(0, 1).Draw(t, "tier"), Weight: rapid.IntRange(1, 300).Draw(t, "weight"),
			})
			for k := range rapid.IntRange(1, 4).Draw(t, "hosts") {
				s.Endpoints = append(s.Endpoints, model.Endpoint{Addr: fmt.Sprintf("%s%d", name, k), Cluster: name, Weight: 1})
			}
		}
		h := NewHosts(Options{})
		p := h.Pool(s, nil)
		for _, e := range s.Endpoints {
			if rapid.Float64Range(0, 1).Draw(t, "down") > 0.7 {
				fail(h.host(e.Addr), ConnectError, 3)
			}
		}
		portions, _ := p.Portions()
		got := map[string]float64{}
		const n = 4000
		for range n {
			host, _ := p.Pick(&Attempt{})
			got[host.Cluster()] += 100.0 / n
		}
		for _, portion := range portions {
			if math.Abs(got[portion.Cluster]-portion.Share) > 1 {
				t.Fatalf("cluster %s: share %.2f, observed %.2f", portion.Cluster, portion.Share, got[portion.Cluster])
			}
		}
	})
}

// TestWeightsInsideACluster: with equal latency and little load, each picker follows the weights.
func TestWeightsInsideACluster(t *testing.T) {
	for _, picker := range []model.Picker{model.P2C, model.WRR, model.LRQ} {
		t.Run(string(picker), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := NewHosts(Options{})
				s := plain("a", "b", "c", "zero", "draining", "notReady")
				s.Balance.Picker = picker
				for i, w := range []int{1, 2, 5, 0, 9, 9} {
					s.Endpoints[i].Weight = w
				}
				s.Endpoints[4].State, s.Endpoints[5].State = model.Draining, model.NotReady
				p := h.Pool(s, nil)
				defer p.Close()
				const n = 40000
				got := map[string]int{}
				for range n {
					host, _ := p.Pick(&Attempt{})
					got[host.Addr()]++
				}
				for addr, want := range map[string]float64{"a": 0.125, "b": 0.25, "c": 0.625} {
					if part := float64(got[addr]) / n; math.Abs(part-want) > 0.01 {
						t.Errorf("%s got %.3f, want %.3f", addr, part, want)
					}
				}
			})
		})
	}
}

func TestRotationIsSmooth(t *testing.T) {
	h := NewHosts(Options{})
	s := plain("a", "b")
	s.Balance.Picker, s.Endpoints[0].Weight = model.WRR, 3
	p := h.Pool(s, nil)
	defer p.Close()
	var got strings.Builder
	for range 40 {
		addr, _ := send(p, fine)
		got.WriteString(addr)
	}
	order := got.String()
	if strings.Contains(order, "bb") || strings.Contains(order, "aaaaa") || strings.Count(order, "b") != 10 {
		t.Errorf("order %s", got.String())
	}
}

// TestP2CPrefersTheBetter: the faster host, and the one with less to do.
func TestP2CPrefersTheBetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHosts(Options{})
		p := h.Pool(plain("slow", "fast"), nil)
		defer p.Close()
		for addr, takes := range map[string]time.Duration{"slow": 100 * time.Millisecond, "fast": 10 * time.Millisecond} {
			x := h.host(addr).Begin()
			pass(takes)
			x.Done(Outcome{Kind: Answered, Status: 200})
		}
		got := map[string]int{}
		for range 1000 {
			host, _ := p.Pick(&Attempt{})
			got[host.Addr()]++
		}
		if got["fast"] < 650 || got["slow"] < 150 {
			t.Errorf("fast should get about three quarters, slow the rest: %v", got)
		}
		for range 100 {
			h.host("fast").Begin()
		}
		clear(got)
		for range 1000 {
			host, _ := p.Pick(&Attempt{})
			got[host.Addr()]++
		}
		if got["slow"] < 650 {
			t.Errorf("fast has 100 in flight: %v", got)
		}
	})
}

func TestLeastRequests(t *testing.T) {
	h := NewHosts(Options{})
	s := plain("a", "b", "c")
	s.Balance.Picker = model.LRQ
	p := h.Pool(s, nil)
	defer p.Close()
	h.host("a").Begin()
	h.host("c").Begin()
	for range 100 {
		if host, _ := p.Pick(&Attempt{}); host.Addr() != "b" {
			t.Fatalf("picked %s", host.Addr())
		}
	}
}

// TestLeastTime: the best by average time, requests in flight and weight; never a flood.
func TestLeastTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHosts(Options{})
		s := plain("fast", "heavy", "new", "slow")
		s.Balance.Picker, s.Endpoints[1].Weight = model.LRT, 4
		p := h.Pool(s, nil)
		defer p.Close()
		for addr, takes := range map[string]time.Duration{"slow": 100, "fast": 10, "heavy": 30} {
			x := h.host(addr).Begin()
			pass(takes * time.Millisecond)
			x.Done(Outcome{Kind: Answered, Status: 200})
		}
		// Nobody answers meanwhile. For each request more at slow there are ten at fast, and ten and a third at heavy, which
		// is three times as slow and has four times the weight; new may be as fast as fast.
		got := map[string]int{}
		for range 330 {
			host, _ := p.Pick(&Attempt{})
			host.Begin()
			got[host.Addr()]++
		}
		want := map[string]int{"fast": 96, "heavy": 128, "new": 96, "slow": 10}
		for addr, n := range want {
			if got[addr] < n-6 || got[addr] > n+6 {
				t.Errorf("%s has %d requests, want about %d: %v", addr, got[addr], n, got)
			}
		}
	})
}

// TestLeastTimeAverages: one slow answer is one of many, and a host that was slow is asked again some time.
func TestLeastTimeAverages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHosts(Options{})
		s := plain("a", "b")
		s.Balance.Picker = model.LRT
		p := h.Pool(s, nil)
		defer p.Close()
		answer := func(addr string, takes time.Duration) {
			x := h.host(addr).Begin()
			pass(takes)
			x.Done(Outcome{Kind: Answered, Status: 200})
		}
		for range 60 {
			answer("a", 10*time.Millisecond)
			answer("b", 30*time.Millisecond)
		}
		answer("a", 200*time.Millisecond)
		if got := tally(p, 10); got["a"] != 10 {
			t.Errorf("after one slow answer in sixty: %v", got)
		}
		for range 60 {
			answer("a", 200*time.Millisecond)
		}
		if got := tally(p, 10); got["b"] != 10 {
			t.Errorf("after sixty slow answers: %v", got)
		}
		for range 2000 {
			answer("b", 30*time.Millisecond)
		}
		if got := tally(p, 1); got["a"] != 1 {
			t.Errorf("a minute later, it is not asked again: %v", got)
		}
	})
}

// TestRendezvous: a client stays where it is while hosts come and go, and clients are spread by weight.
func TestRendezvous(t *testing.T) {
	const clients = 4000
	owners := func(h *Hosts, s *model.Service) []string {
		p := h.Pool(s, nil)
		defer p.Close()
		var owners []string
		for i := range clients {
			addr := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
			host, _ := p.Pick(&Attempt{Client: addr})
			if again, _ := p.Pick(&Attempt{Client: netip.AddrFrom16(addr.As16())}); again != host {
				t.Fatalf("%s has two hosts", addr)
			}
			owners = append(owners, host.Addr())
		}
		return owners
	}
	s := plain("a", "b", "c", "d")
	s.Balance.Picker = model.HRW
	for i := range s.Endpoints {
		s.Endpoints[i].Cluster = []string{"x", "y"}[i/2]
	}
	before := owners(NewHosts(Options{}), s)
	fewer := *s
	fewer.Endpoints = s.Endpoints[:3]
	after := owners(NewHosts(Options{}), &fewer)
	count := map[string]int{}
	for i := range before {
		count[before[i]]++
		if before[i] != "d" && before[i] != after[i] {
			t.Fatalf("client %d moved from %s to %s", i, before[i], after[i])
		}
	}
	for addr, n := range count {
		if n < clients/4-150 || n > clients/4+150 {
			t.Errorf("%s has %d of %d clients", addr, n, clients)
		}
	}
	heavy := plain("a", "b")
	heavy.Balance.Picker, heavy.Endpoints[0].Weight = model.HRW, 3
	clear(count)
	for _, addr := range owners(NewHosts(Options{}), heavy) {
		count[addr]++
	}
	if n := count["a"]; n < clients*3/4-150 || n > clients*3/4+150 {
		t.Errorf("three quarters of the weight has %d of %d clients", n, clients)
	}
}

func TestRetryOrder(t *testing.T) {
	endpoint := func(addr, cluster string, gateway bool) model.Endpoint {
		return model.Endpoint{Addr: addr, Cluster: cluster, Weight: 1, Gateway: gateway}
	}
	shares := []model.Share{{Cluster: "a", Weight: 100}, {Cluster: "b", Tier: 1, Weight: 100}, {Cluster: "c"}}
	tests := map[string]struct {
		endpoints []model.Endpoint
		want      string // clusters in the order in which they are tried
	}{
		"a gateway, then the next tier, then the cluster's other door": {
			[]model.Endpoint{endpoint("1", "a", true), endpoint("2", "a", true), endpoint("3", "b", true)}, "aba",
		},
		"hosts of the cluster first, then the next tier": {
			[]model.Endpoint{endpoint("1", "a", false), endpoint("2", "a", false), endpoint("3", "b", false)}, "aab",
		},
		"never a cluster of weight 0": {
			[]model.Endpoint{endpoint("1", "a", false), endpoint("2", "b", true), endpoint("3", "c", true)}, "aba",
		},
		"a lonely host again": {[]model.Endpoint{endpoint("1", "a", false)}, "aaa"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := NewHosts(Options{Prober: newFakeProber()})
				p := h.Pool(&model.Service{Balance: model.Balance{Shares: shares}, Endpoints: test.endpoints}, nil)
				defer p.Close()
				defer run(t, h)()
				pass(100 * time.Millisecond)
				for range 20 {
					var a Attempt
					got := ""
					for range 3 {
						host, _ := p.Pick(&a)
						got += host.Cluster()
					}
					if got != test.want {
						t.Fatalf("tried %s, want %s", got, test.want)
					}
				}
			})
		})
	}
}

// TestRetryNeverRepeats: no host is tried twice while another may be used, in any state of the hosts.
func TestRetryNeverRepeats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := NewHosts(Options{})
		s := &model.Service{}
		s.Balance.Picker = rapid.SampledFrom([]model.Picker{model.P2C, model.WRR, model.LRQ, model.HRW}).Draw(t, "picker")
		n := rapid.IntRange(1, maxTried).Draw(t, "hosts")
		for i := range n {
			s.Endpoints = append(s.Endpoints, model.Endpoint{
				Addr: fmt.Sprint(i), Cluster: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "cluster"),
				Weight: rapid.IntRange(1, 3).Draw(t, "weight"), Gateway: rapid.Bool().Draw(t, "gateway"),
			})
		}
		p := h.Pool(s, nil)
		seen := map[*Host]bool{}
		var a Attempt
		for range n {
			host, _ := p.Pick(&a)
			if host == nil || seen[host] {
				t.Fatalf("attempt %d of %d: %v again", a.Tries(), n, host)
			}
			seen[host] = true
		}
	})
}
