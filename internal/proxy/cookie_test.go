package proxy

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/upstream"
)

// cookiesOf returns the cookie that an answer sets, as a request has it; "": none.
func cookiesOf(h http.Header) string {
	cookies := (&http.Response{Header: h}).Cookies()
	var pairs []string
	for _, c := range cookies {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return strings.Join(pairs, "; ")
}

func TestStickyHosts(t *testing.T) {
	atBothDepths(t, func(t *testing.T, fields ...string) {
		service := servers("shop", says(t, "a"), says(t, "b"), says(t, "c"))
		service.Sticky = &model.Sticky{
			Name: "s", Path: "/", Domain: "shop.example", SameSite: "lax", MaxAge: 60, Secure: true, HTTPOnly: true,
		}
		b := start(t, site(service))
		if !b.isRaw() {
			t.Error("a sticky service is not served at the raw depth")
		}
		_, h, first := b.get(t, "/", fields...)
		cookie := cookiesOf(h)
		if !strings.HasSuffix(h.Get("Set-Cookie"),
			"; Path=/; Domain=shop.example; Max-Age=60; HttpOnly; Secure; SameSite=Lax") {
			t.Errorf("the cookie is %q", h.Get("Set-Cookie"))
		}
		with := append([]string{"Cookie", "other=1; " + cookie}, fields...)
		for range 20 {
			_, h, now := b.get(t, "/", with...)
			if now != first || h.Get("Set-Cookie") != "" {
				t.Fatalf("the session went from %q to %q (%q)", first, now, h.Get("Set-Cookie"))
			}
		}
		// Its host is drained: the session stays, and no other comes.
		drained := *service
		drained.Endpoints = append([]model.Endpoint(nil), service.Endpoints...)
		for i := range drained.Endpoints {
			if mark := markText(upstream.MarkOf(drained.Endpoints[i].Addr)); "s="+mark == cookie {
				drained.Endpoints[i].State = model.Draining
			}
		}
		b.Apply(site(&drained), true)
		if _, _, now := b.get(t, "/", with...); now != first {
			t.Errorf("drained: the session went from %q to %q", first, now)
		}
		for range 20 {
			if _, _, now := b.get(t, "/", fields...); now == first {
				t.Error("drained: a new session came")
			}
		}
		// Its host is gone: the session moves, and the client is told.
		gone := *service
		gone.Endpoints = nil
		for _, e := range drained.Endpoints {
			if e.State == model.Ready {
				gone.Endpoints = append(gone.Endpoints, e)
			}
		}
		b.Apply(site(&gone), true)
		_, h, now := b.get(t, "/", with...)
		if moved := cookiesOf(h); now == first || moved == "" || moved == cookie {
			t.Errorf("gone: at %q with %q", now, moved)
		}
		for _, bad := range []string{"s=", "s=!", "s=zzzzzzzzzzzzzzzzzzzzzz", "s=1", "s"} {
			if status, h, _ := b.get(t, "/", append([]string{"Cookie", bad}, fields...)...); status != 200 ||
				cookiesOf(h) == "" {
				t.Errorf("Cookie: %s: %d, %v", bad, status, h)
			}
		}
	})
}

// A session belongs to a service, and to a host of it.
func TestStickyServices(t *testing.T) {
	shop := choice("shop", model.ByWeight, "v1", "v2")
	shop.Sticky = &model.Sticky{Name: "version"}
	v1, v2 := servers("v1", says(t, "v1a"), says(t, "v1b")), servers("v2", says(t, "v2a"), says(t, "v2b"))
	v1.Sticky, v2.Sticky = &model.Sticky{Name: "host"}, &model.Sticky{Name: "host"}
	b := start(t, site(shop, v1, v2))
	_, h, first := b.get(t, "/")
	cookie := cookiesOf(h)
	if !strings.Contains(cookie, "version=") || !strings.Contains(cookie, "host=") {
		t.Fatalf("the cookies are %q", cookie)
	}
	// Its service gets no new sessions: it stays.
	shift := *shop
	shift.Backends = append([]model.Backend(nil), shop.Backends...)
	for i := range shift.Backends {
		if strings.HasPrefix(first, shift.Backends[i].Service.Name.Name) {
			shift.Backends[i].Weight = 0
		}
	}
	for range 2 {
		for range 20 {
			if _, h, now := b.get(t, "/", "Cookie", cookie); now != first || cookiesOf(h) != "" {
				t.Fatalf("the session went from %q to %q", first, now)
			}
		}
		b.Apply(site(&shift, v1, v2), true)
	}
	for range 20 {
		if _, _, now := b.get(t, "/"); now[:2] == first[:2] {
			t.Fatal("a new session came where the weight is 0")
		}
	} // Its service is down: when that has shown, the session moves.
	services := []*model.Service{shop, v1, v2}
	for i, v := range services {
		if strings.HasPrefix(first, v.Name.Name) {
			down := *v
			down.Endpoints = []model.Endpoint{{Addr: "127.0.0.1:1", Weight: 1}}
			services[i] = &down
		}
	}
	b.Apply(site(services...), true)
	for moved := ""; moved == ""; {
		var status int
		if status, h, _ = b.get(t, "/", "Cookie", cookie); status == 200 {
			moved = cookiesOf(h)
		}
	}
}
