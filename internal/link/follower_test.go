package link

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/model"
)

func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("frankfurt")
		c.has("shop", 2, 3)
		shop, blog := route("shop"), route("team/blog")
		blog.Match = model.Leaf(model.Host, "blog.example")
		shop.EntryPoints, shop.TLS = []string{"websecure"}, true
		shop.Timeouts = model.Timeouts{Header: time.Second, Total: 1500 * time.Microsecond}
		shop.Middlewares = []model.Ref{model.ParseRef("auth@file")}
		c.Publish(snapshot(shop, blog))
		stopCluster := start(c.Run)
		e := newEdge(&memory{hosts: map[string]*host{"b:9443": c.host}}, nil, "b:9443", "a:9443")
		stop := e.run()
		wait(100 * time.Millisecond)

		got, n := e.got()
		equal(t, "published", n, 1)
		endpoints := []model.Endpoint{
			{Addr: "a:9443", Cluster: "fra", Weight: 1, Gateway: true},
			{Addr: "b:9443", Cluster: "fra", Weight: 1, Gateway: true},
		}
		balance := model.Balance{Shares: []model.Share{{Cluster: "fra", Tier: 1, Weight: 50}}}
		now := time.Now().Add(-100 * time.Millisecond).UTC().Round(0)
		sticky := &model.Sticky{Name: "place"}
		blogName, shopName := model.ParseName("team/blog"), model.ParseName("shop")
		want := &model.Snapshot{
			Source: "link/fra",
			Services: []*model.Service{
				{Name: shopName, Source: "link/fra", Endpoints: endpoints, Balance: balance, Sticky: sticky},
				{Name: blogName, Source: "link/fra", Endpoints: endpoints, Balance: balance, Sticky: sticky},
			},
			Routes: []*model.Route{
				{
					Name: shopName, Source: "link/fra", EntryPoints: []string{"websecure"}, TLS: true, Priority: 10,
					Match: shop.Match, Since: now, Timeouts: model.Timeouts{Header: time.Second, Total: 2 * time.Millisecond},
					Backends: []model.Backend{{Service: model.Ref{Name: shopName, Source: "link"}, Weight: 1}},
				},
				{
					Name: blogName, Source: "link/fra", EntryPoints: []string{"web", "websecure"}, Priority: 10,
					Match: blog.Match, Since: now,
					Backends: []model.Backend{{Service: model.Ref{Name: blogName, Source: "link"}, Weight: 1}},
				},
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		ready, total, known := e.Capacity(shopName)
		equal(t, "capacity", text(ready, total, known), "2 3 true")

		// A change keeps what did not change.
		first, service := e.route("team/blog"), got.Services[0]
		c.Publish(snapshot(shop, blog, route("api")))
		wait(0)
		equal(t, "after a route came", e.names(), "api shop team/blog")
		got, _ = e.got()
		equal(t, "route kept", e.route("team/blog"), first)
		equal(t, "service kept", got.Services[1], service)
		c.Publish(snapshot(blog))
		wait(0)
		equal(t, "after routes went", e.names(), "team/blog")
		_, _, known = e.Capacity(shopName)
		equal(t, "capacity of what is gone", known, false)

		// Capacity comes with a heartbeat and publishes nothing.
		_, n = e.got()
		c.has("team/blog", 1, 9)
		wait(time.Second)
		ready, total, _ = e.Capacity(blogName)
		equal(t, "capacity", text(ready, total), "1 9")
		_, after := e.got()
		equal(t, "published by a heartbeat", after-n, 0)
		s := e.State()
		equal(t, "state", text(s.Connected, s.Address, s.RemoteName, s.Routes, s.Refused, s.Ready, s.Total, s.Reconnects),
			"true b:9443 frankfurt 1 0 1 9 0")
		_ = stop()
		_ = stopCluster()
		equal(t, "state at the end", e.State().LastError, context.Canceled.Error())
	})
}

func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("fra")
		c.log.maxMarks = 2
		a, b, d := route("a"), route("b"), route("d")
		c.Publish(snapshot(a, b, d))
		stopCluster := start(c.Run)
		e := newEdge(&memory{hosts: map[string]*host{"x:1": c.host}}, nil, "x:1")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		follow := func() { go func() { ended <- e.Run(ctx, e.publish) }(); wait(0) }
		follow()
		kept := e.route("a")
		if said := c.host.said(); !strings.Contains(said, `{"reset":true}`) {
			t.Errorf("the first stream has no reset:\n%s", said)
		}
		lose := func() {
			cancel()
			<-ended
			ctx, cancel = context.WithCancel(t.Context())
			wait(0)
			c.host.said()
		}

		lose()
		c.Publish(snapshot(a, route("c"), d))
		c.Publish(snapshot(a, route("c", model.Leaf(model.Host, "other.example")), d))
		follow()
		equal(t, "after the resume", e.names(), "a c d")
		equal(t, "unchanged route", e.route("a"), kept)
		said := c.host.said()
		for name, want := range map[string]int{`"reset"`: 0, `"name":"a"`: 0, `"del":{"route":"b"}`: 1,
			`"set":{"route":{"name":"c"`: 1, `"synced"`: 1} {
			if n := strings.Count(said, name); n != want {
				t.Errorf("%s: %d times, want %d, in\n%s", name, n, want, said)
			}
		}

		lose()
		c.Publish(snapshot(d)) // two routes and two services: the oldest marks fall off
		follow()
		equal(t, "after the full state", e.names(), "d")
		if said := c.host.said(); !strings.Contains(said, `{"reset":true}`) {
			t.Errorf("resumed beyond the log:\n%s", said)
		}
		s := e.State()
		equal(t, "reconnects", s.Reconnects, 2)
		lose()
		_ = stopCluster()
	})
}

// Who is cut off after "synced" resumes from there: nothing that is older may come behind it.
func TestCapacityComesBeforeItsRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("fra")
		c.has("a", 3, 3)
		c.Publish(snapshot(route("a")))
		stopCluster := start(c.Run)
		e := newEdge(&memory{hosts: map[string]*host{"x:1": c.host}}, nil, "x:1")
		stop := e.run()
		wait(2 * HeartbeatInterval)
		_ = stop()
		c.host.said()

		c.has("a", 1, 3)
		wait(2 * HeartbeatInterval)
		c.Publish(snapshot(route("a"), route("b")))
		stop = e.run()
		wait(0)
		said := c.host.said()
		capacity, synced := strings.Index(said, `"ready":1`), strings.Index(said, `"synced"`)
		if capacity < 0 || synced < capacity {
			t.Errorf("the capacity comes behind the revision, or not at all:\n%s", said)
		}
		ready, _, _ := e.Capacity(model.ParseName("a"))
		equal(t, "ready", ready, 1)
		_, _ = stop(), stopCluster()
	})
}

func TestFailoverKeepsPointers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := newCluster("fra"), newCluster("fra")
		net := &memory{hosts: map[string]*host{"one:1": one.host, "two:1": two.host}}
		one.Publish(snapshot(route("a"), route("b"), route("gone")))
		two.Publish(snapshot(route("a"), route("b", model.Leaf(model.Host, "moved.example"))))
		stops := []func() error{start(one.Run), start(two.Run)}
		e := newEdge(net, nil, "one:1", "two:1")
		stops = append(stops, e.run())
		wait(0)
		equal(t, "first", e.names(), "a b gone")
		a, b := e.route("a"), e.route("b")

		one.host.set(func(h *host) { h.mute = true })
		wait(SilenceLimit - time.Millisecond)
		equal(t, "before the limit", e.State().Connected, true)
		wait(time.Millisecond)
		s := e.State()
		equal(t, "after the limit", text(s.Connected, s.LastError), "false "+errSilent.Error())
		equal(t, "kept while lost", e.names(), "a b gone")
		wait(time.Second)
		s = e.State()
		equal(t, "other instance", text(s.Connected, s.Address, s.LastError), "true two:1")
		equal(t, "names", e.names(), "a b")
		equal(t, "equal route", e.route("a"), a)
		if e.route("b") == b {
			t.Error("the changed route kept its pointer")
		}

		// The one that works is kept, though the first could be had again.
		one.host.set(func(h *host) { h.mute = false })
		net.mu.Lock()
		net.seen = nil
		net.mu.Unlock()
		two.keys.mu.Lock()
		close(two.keys.of["good"].done)
		two.keys.of["good"] = &testKey{"k1", "link:read", make(chan struct{})}
		two.keys.mu.Unlock()
		wait(2 * time.Second)
		equal(t, "kept address", e.State().Address, "two:1")
		net.mu.Lock()
		if first := net.seen[0]; !strings.HasPrefix(first, "https://two:1/link/v1/watch?since="+two.epoch) {
			t.Errorf("dialled %s", first)
		}
		net.mu.Unlock()

		// Refused and hanging addresses are passed over.
		two.host.set(func(h *host) { h.refuses, h.mute = true, true })
		wait(5 * time.Second)
		equal(t, "back on the first", e.State().Address, "one:1")
		for _, stop := range stops {
			_ = stop()
		}
	})
}

func TestAddressThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("fra")
		c.Publish(snapshot(route("a")))
		e := newEdge(&memory{hosts: map[string]*host{"hung:1": {hangs: true}, "x:1": c.host}}, nil, "hung:1", "x:1")
		stop := e.run()
		wait(connectLimit)
		equal(t, "names", e.names(), "a")
		_ = stop()
	})
}

func TestRevocationEndsTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("fra")
		c.Publish(snapshot(route("a")))
		stopCluster := start(c.Run)
		e := newEdge(&memory{hosts: map[string]*host{"x:1": c.host}}, nil, "x:1")
		ended := make(chan error, 1)
		go func() { ended <- e.Run(t.Context(), e.publish) }()
		wait(0)
		equal(t, "connected", e.State().Connected, true)
		c.keys.revoke("good")
		synctest.Wait() // without a moment of time
		select {
		case err := <-ended:
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		default:
			t.Fatal("the stream goes on")
		}
		err := e.Run(t.Context(), e.publish)
		if err == nil || !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), "good") {
			t.Error(err)
		}
		equal(t, "still served", e.names(), "a")
		_ = stopCluster()
	})
}

func TestTruncatedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("fra")
		var routes []*model.Route
		for i := range 50 {
			routes = append(routes, route(fmt.Sprintf("r%02d", i)))
		}
		c.Publish(snapshot(routes...))
		stopCluster := start(c.Run)
		net := &memory{hosts: map[string]*host{"x:1": c.host}}
		e := newEdge(net, nil, "x:1")
		c.host.set(func(h *host) { h.cut = 4000 })
		if err := e.Run(t.Context(), e.publish); err == nil {
			t.Error("no error")
		}
		_, n := e.got()
		equal(t, "published of a part", n, 0)
		c.host.set(func(h *host) { h.cut = 0 })
		ended := make(chan error, 1)
		go func() { ended <- e.Run(t.Context(), e.publish) }()
		wait(0)
		s, _ := e.got()
		equal(t, "routes", len(s.Routes), 50)
		_ = stopCluster() // ends the watch
		if err := <-ended; !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
}

func TestBrokenStreams(t *testing.T) {
	hello := `{"hello":{"version":1,"cluster":"c","epoch":"e"}}` + "\n"
	for name, test := range map[string]struct{ stream, want string }{
		"not a link":     {`{"message":"not found"}`, errNoHello.Error()},
		"not JSON":       {hello + "<html>", "cannot be read"},
		"newer protocol": {`{"hello":{"version":2,"cluster":"c","epoch":"e"}}`, "version 2"},
		"no epoch":       {`{"hello":{"version":1}}`, errNoHello.Error()},
		"no reset":       {hello + `{"rev":3,"synced":true}`, errEpoch.Error()},
		"long line":      {hello + `{"x":"` + strings.Repeat("x", maxLine) + `"}`, "longer than"},
		"ends":           {hello + `{"reset":true}` + "\n", "ended the stream"},
		"unknown event":  {hello + `{"later":{"x":1}}` + "\n", "ended the stream"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := feed(t, everything, test.stream)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// feed has a follower read a stream; it returns the last snapshot.
func feed(t testing.TB, g Grant, stream string) (*model.Snapshot, error) {
	t.Helper()
	e := newEdge(&memory{}, func(o *FollowerOptions) { o.Grant = g }, "x:1")
	ctx, cancel := context.WithCancelCause(t.Context())
	c := &connection{ctx: ctx, addr: "x:1", cancel: cancel, silence: time.NewTimer(time.Hour)}
	defer c.close()
	err := read(strings.NewReader(stream), &session{f: e.Follower, c: c, publish: e.publish}, func() {})
	last, _ := e.got()
	return last, err
}

func TestSlowFollowerSkips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("fra")
		c.Publish(snapshot(route("a")))
		seen := uint64(0)
		for i := range 1000 {
			c.Publish(snapshot(route("a", model.Leaf(model.Host, fmt.Sprintf("h%d.example", i)))))
			if i == 0 {
				n, _ := c.since(0, false)
				seen = n.rev
			}
		}
		n, _ := c.since(seen, false)
		equal(t, "changes after 999 of one route", len(n.changes), 1)
		equal(t, "log", c.log.order.Len(), 2)
	})
}

func TestClaimsKeepTheirAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("fra")
		rule := model.Leaf(model.Host, "shop.example")
		c.Publish(snapshot(route("a", rule)))
		stopCluster := start(c.Run)
		e := newEdge(&memory{hosts: map[string]*host{"x:1": c.host}}, nil, "x:1")
		stop := e.run()
		wait(0)
		began := time.Now()
		at := func(name string) time.Duration { return e.route(name).Since.Sub(began) }
		equal(t, "first claim", at("a"), 0)
		wait(time.Minute)
		c.Publish(snapshot(route("renamed", rule)))
		wait(0)
		equal(t, "renamed", at("renamed"), 0)
		other := route("renamed", rule)
		other.Priority = 99
		c.Publish(snapshot(other))
		wait(0)
		equal(t, "changed apart from the rule", at("renamed"), 0)
		c.Publish(snapshot())
		wait(0)
		c.Publish(snapshot(route("a", rule)))
		wait(0)
		equal(t, "withdrawn and claimed again", at("a"), time.Minute)
		_, _ = stop(), stopCluster()
	})
}

func TestOneChangeIsSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("fra")
		c.host.edit = nil // as compressed as it is
		base := services(1000)
		c.Publish(base)
		stopCluster := start(c.Run)
		e := newEdge(&memory{hosts: map[string]*host{"x:1": c.host}}, nil, "x:1")
		stop := e.run()
		wait(0)
		c.host.said()
		c.Publish(with(base, 1))
		wait(0)
		s, _ := e.got()
		equal(t, "routes", len(s.Routes), 1001)
		if n := len(c.host.said()); n == 0 || n > 1024 {
			t.Errorf("%d bytes for one service and its route", n)
		}
		_, _ = stop(), stopCluster()
	})
}

func TestKeyIsNeverShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const key = "flk_id_0123456789_check"
		var logged bytes.Buffer
		log := slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c := newCluster("fra")
		c.o.Log = log
		c.keys.of[key] = c.keys.of["good"]
		c.Publish(snapshot(route("a")))
		stopCluster := start(c.Run)
		e := newEdge(&memory{hosts: map[string]*host{"x:1": c.host}}, func(o *FollowerOptions) {
			o.Log, o.Key = log, func() (string, error) { return key, nil }
		}, "refused:1", "x:1")
		stop := e.run()
		wait(2 * time.Second)
		c.keys.revoke(key)
		wait(2 * time.Second)
		if s := e.State(); !strings.Contains(s.LastError, "401") || strings.Contains(s.LastError, "0123") {
			t.Errorf("state %+v", s)
		}
		_, _ = stop(), stopCluster()
		if !strings.Contains(logged.String(), "the link is up") || strings.Contains(logged.String(), "0123") {
			t.Error(logged.String())
		}
	})
}

func TestReportIsBounded(t *testing.T) {
	e := newEdge(nil, nil, "x:1")
	var many []model.Problem
	for i := range maxReports + 1 {
		ref := model.Ref{Name: model.Name{Name: fmt.Sprint("r", i)}, Source: "link/fra"}
		many = append(many, model.Problem{
			Object: model.Object{Kind: model.KindRoute, Ref: ref}, Code: model.Conflict,
			Field: strings.Repeat("<", 500), Message: strings.Repeat("<", 1000), // six bytes each in JSON
		})
	}
	e.Report(many)
	var told Told
	body := e.told()
	if err := json.Unmarshal(body, &told); err != nil || len(body) > maxReport || len(told.Problems) == 0 {
		t.Errorf("%d bytes, %d problems, %v", len(body), len(told.Problems), err)
	}
}
