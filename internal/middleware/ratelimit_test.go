package middleware

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// wait lets virtual time pass. Only inside synctest.
func wait(d time.Duration) { <-time.After(d) }

// from returns a request of a client.
func from(addr string, fields ...string) *http.Request {
	r := request("/", fields...)
	r.RemoteAddr = addr
	return r
}

func TestRateLimitInTime(t *testing.T) {
	type step struct {
		at    time.Duration // since the start
		want  int
		waits time.Duration // before it is served
		retry string        // Retry-After, X-Retry-In
	}
	s, ms := time.Second, time.Millisecond
	cases := map[string]struct {
		spec  model.RateLimit
		steps []step
	}{
		"defaults: one a second, burst of one": {model.RateLimit{Average: 1}, []step{
			{0, 200, 0, ""}, {0, 429, 0, "1 1s"}, {400 * ms, 429, 0, "1 600ms"}, {500 * ms, 200, 500 * ms, ""},
			{1 * s, 429, 0, "1 1s"}, {2 * s, 200, 0, ""},
		}},
		"burst": {model.RateLimit{Average: 10, Burst: 3}, []step{
			{0, 200, 0, ""}, {0, 200, 0, ""}, {0, 200, 0, ""}, {0, 429, 0, "1 100ms"},
			{100 * ms, 200, 0, ""}, {100 * ms, 429, 0, "1 100ms"},
			{10 * s, 200, 0, ""}, {10 * s, 200, 0, ""}, {10 * s, 200, 0, ""}, {10 * s, 429, 0, "1 100ms"},
		}},
		"slower than one a second": {model.RateLimit{Average: 6, Period: time.Minute}, []step{
			{0, 200, 0, ""}, {0, 429, 0, "10 10s"}, {9400 * ms, 429, 0, "1 600ms"}, {9500 * ms, 200, 500 * ms, ""},
			{10 * s, 429, 0, "10 10s"}, {20 * s, 200, 0, ""},
		}},
		"refusals cost nothing": {model.RateLimit{Average: 1}, []step{
			{0, 200, 0, ""}, {100 * ms, 429, 0, "1 900ms"}, {200 * ms, 429, 0, "1 800ms"}, {1 * s, 200, 0, ""},
		}},
		"no limit": {model.RateLimit{Average: 0, Burst: 1}, []step{{0, 200, 0, ""}, {0, 200, 0, ""}, {0, 200, 0, ""}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := build(t, NewSet(Options{}), model.Middleware{RateLimit: &c.spec})
				start := time.Now()
				for i, step := range c.steps {
					wait(step.at - time.Since(start))
					before := time.Now()
					w, _ := exchange(f, from("10.0.0.1:5"))
					retry := ""
					if w.Code == 429 {
						retry = w.Header().Get("Retry-After") + " " + w.Header().Get("X-Retry-In")
					}
					if waited := time.Since(before); w.Code != step.want || waited != step.waits || retry != step.retry {
						t.Errorf("step %d at %v: %d after %v, %q; want %+v", i, step.at, w.Code, waited, retry, step)
					}
				}
			})
		})
	}
}

func TestRateLimitClients(t *testing.T) {
	byAddr := func(c model.ClientAddress) model.Criterion { return model.Criterion{ClientAddress: c} }
	cases := map[string]struct {
		spec model.Criterion
		a, b *http.Request
		same bool
	}{
		"one address, two ports": {model.Criterion{}, from("10.0.0.1:5"), from("10.0.0.1:6"), true},
		"two addresses":          {model.Criterion{}, from("10.0.0.1:5"), from("10.0.0.2:5"), false},
		"IPv4 as IPv6":           {model.Criterion{}, from("10.0.0.1:5"), from("[::ffff:10.0.0.1]:5"), true},
		"a lie in the field": {
			model.Criterion{}, from("10.0.0.1:5", "X-Forwarded-For: 1.1.1.1"), from("10.0.0.1:5", "X-Forwarded-For: 2.2.2.2"),
			true,
		},
		"IPv6, whole address": {model.Criterion{}, from("[2001:db8::1]:5"), from("[2001:db8::2]:5"), false},
		"IPv6 subnet": {
			byAddr(model.ClientAddress{IPv6Subnet: 64}), from("[2001:db8::1]:5"), from("[2001:db8::2]:5"), true,
		},
		"other IPv6 subnet": {
			byAddr(model.ClientAddress{IPv6Subnet: 64}), from("[2001:db8::1]:5"), from("[2001:db8:0:1::1]:5"), false,
		},
		"IPv6 subnet leaves IPv4": {
			byAddr(model.ClientAddress{IPv6Subnet: 8}), from("10.0.0.1:5"), from("10.0.0.2:5"), false,
		},
		"depth": {
			byAddr(model.ClientAddress{Depth: 1}), from("10.0.0.1:5", "X-Forwarded-For: 1.1.1.1"),
			from("10.0.0.1:5", "X-Forwarded-For: 2.2.2.2"), false,
		},
		"no address is one client": {
			byAddr(model.ClientAddress{Depth: 1}), from("10.0.0.1:5"), from("10.0.0.2:5"), true,
		},
		"field": {
			model.Criterion{ByHeader: "x-user"}, from("10.0.0.1:5", "X-User: a"), from("10.0.0.2:5", "X-User: a"), true,
		},
		"other field": {
			model.Criterion{ByHeader: "x-user"}, from("10.0.0.1:5", "X-User: a"), from("10.0.0.1:5", "X-User: b"), false,
		},
		"no field is one client": {model.Criterion{ByHeader: "x-user"}, from("10.0.0.1:5"), from("10.0.0.2:5"), true},
		"host":                   {model.Criterion{ByHost: true}, onHost("a.example"), onHost("b.example"), false},
		"host in other letters":  {model.Criterion{ByHost: true}, onHost("a.example"), onHost("A.Example:80"), true},
		"host by field name":     {model.Criterion{ByHeader: "Host"}, onHost("a.example"), onHost("b.example"), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			spec := model.RateLimit{Average: 1, Period: time.Hour, Criterion: c.spec}
			f := build(t, NewSet(Options{}), model.Middleware{RateLimit: &spec})
			first, _ := exchange(f, c.a)
			second, _ := exchange(f, c.b)
			if first.Code != 200 || (second.Code == 429) != c.same {
				t.Errorf("got %d, %d; same client: %v", first.Code, second.Code, c.same)
			}
		})
	}
}

func onHost(host string) *http.Request {
	r := request("/")
	r.Host = host
	return r
}

func TestRateLimitSurvivesRebuild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSet(Options{})
		status := func(spec model.RateLimit) int {
			w, _ := exchange(build(t, s, model.Middleware{RateLimit: &spec}), from("10.0.0.1:5"))
			return w.Code
		}
		check := func(what string, got, want int) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %d, want %d", what, got, want)
			}
		}
		hourly := model.RateLimit{Average: 1, Period: time.Hour}
		check("first", status(hourly), 200)
		check("equal definition, other pointer", status(hourly), 429)
		faster := model.RateLimit{Average: 2, Period: time.Second}
		check("faster: the debt is not an hour any more, but there is one", status(faster), 429)
		wait(time.Second)
		check("faster, later", status(faster), 200)
		check("larger burst applies at once", status(model.RateLimit{Average: 2, Burst: 5}), 200)
		check("back to hourly", status(hourly), 429)
		hourlyBy := func(c model.Criterion) model.RateLimit {
			return model.RateLimit{Average: 1, Period: time.Hour, Criterion: c}
		}
		byField := func(name string) int {
			spec := hourlyBy(model.Criterion{ByHeader: name})
			f := build(t, s, model.Middleware{RateLimit: &spec})
			w, _ := exchange(f, from("10.0.0.1:5", "X-A: v", "X-B: v"))
			return w.Code
		}
		check("by field", byField("X-A"), 200)
		check("by field again", byField("X-A"), 429)
		check("an equal value of another field is another client", byField("X-B"), 200)
		check("other clients are counted anew", status(hourlyBy(model.Criterion{ByHost: true})), 200)
		check("another middleware has its own", func() int {
			m := named(model.Middleware{RateLimit: &hourly})
			m.Source = "docker"
			f, err := s.Build(m, Use{})
			if err != nil {
				t.Fatal(err)
			}
			w, _ := exchange(f, from("10.0.0.1:5"))
			return w.Code
		}(), 200)
	})
}

// A request that waits has used up its turn.
func TestRateLimitCountsThoseThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClients()
		p := pace{interval: time.Second, ahead: time.Second, patience: 500 * time.Millisecond}
		c.take(1, p)
		wait(500 * time.Millisecond)
		if d, ok := c.take(1, p); !ok || d != 500*time.Millisecond {
			t.Errorf("half a second early: %v, %v", d, ok)
		}
		if d, ok := c.take(1, p); ok || d != 1500*time.Millisecond {
			t.Errorf("behind one that waits: %v, %v", d, ok)
		}
	})
}

func TestRateLimitWaitsNoLongerThanTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := build(t, NewSet(Options{}), model.Middleware{RateLimit: &model.RateLimit{Average: 1}})
		exchange(f, from("10.0.0.1:5"))
		wait(600 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		before := time.Now()
		_, got := exchange(f, from("10.0.0.1:5").WithContext(ctx))
		if got != nil || time.Since(before) != 100*time.Millisecond {
			t.Errorf("reached the service: %v, after %v", got != nil, time.Since(before))
		}
	})
}

func TestRateLimitExtremes(t *testing.T) {
	for _, spec := range []model.RateLimit{
		{Average: 1 << 62, Burst: 1 << 62},
		{Average: 1, Period: maxPeriod, Burst: 1 << 62},
		{Average: 1 << 40, Period: 1},
	} {
		f := build(t, NewSet(Options{}), model.Middleware{RateLimit: &spec})
		for range 50 {
			if w, _ := exchange(f, from("10.0.0.1:5")); w.Code != 200 {
				t.Errorf("%+v: %d", spec, w.Code)
			}
		}
	}
}

func TestManyClientsFillNoMemory(t *testing.T) {
	c := newClients()
	p := pace{interval: time.Hour, ahead: time.Hour}
	const victim = 1 << 63
	c.take(victim, p)
	for i := range uint64(2 * maxClients) {
		c.take(i<<(64-shardBits)|i>>shardBits, p)
		if _, ok := c.take(victim, p); ok {
			t.Fatalf("one who keeps knocking was forgotten after %d others", i)
		}
	}
	total := 0
	for i := range c.shards {
		l := c.shards[i].due
		n := 0
		for e := l.ring.next; e != &l.ring; e = e.next {
			n++
		}
		if n != len(l.entries) {
			t.Fatalf("shard %d: %d in the ring, %d in the map", i, n, len(l.entries))
		}
		total += n
	}
	if total != maxClients {
		t.Errorf("%d clients are remembered, want %d", total, maxClients)
	}
}

func TestRateLimitRace(t *testing.T) {
	s := NewSet(Options{})
	spec := model.RateLimit{Average: 1, Period: time.Hour, Burst: 50}
	var wg sync.WaitGroup
	admitted := make(chan string, 1000)
	for g := range 4 {
		wg.Go(func() {
			for i := range 100 {
				f := build(t, s, model.Middleware{RateLimit: &spec}) // a reload with each request
				addr := fmt.Sprintf("10.0.0.%d:%d", i%2, g)
				w := httptest.NewRecorder()
				f(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { admitted <- addr[:8] })).ServeHTTP(w, from(addr))
			}
		})
	}
	wg.Wait()
	close(admitted)
	count := map[string]int{}
	for a := range admitted {
		count[a]++
	}
	if count["10.0.0.0"] != 50 || count["10.0.0.1"] != 50 {
		t.Errorf("admitted %v, want 50 each", count)
	}
}
