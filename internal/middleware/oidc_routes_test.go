package middleware

import (
	"net/http"
	"net/http/cookiejar"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// elsewhere is the same client in another middleware.
func (b *browser) elsewhere(t *testing.T, s *Set, spec model.OIDC) *browser {
	t.Helper()
	at := place{middleware: model.Ref{Name: model.ParseName("other"), Source: "file"}}
	o, err := makeOIDC(s, at, &spec)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{b.jar, o}
}

// A page has its parts from several routes: they are one login, its renewal and its end.
func TestOIDCRoutesShareALogin(t *testing.T) {
	p := newOpenID(t)
	set := NewSet(Options{})
	b := newBrowser(t, p.oidc(t, set, p.spec()))
	b.login(t, p)
	b.hold(t, func(s *session) { s.Renew = time.Now().UnixMilli() - 1 })
	spec := p.spec()
	spec.ClaimUse, spec.NoLogin = model.ClaimUse{}, true
	old := &browser{oidc: b.oidc}
	old.jar, _ = cookiejar.New(nil)
	u := mustURL(t, "https://shop.example/")
	old.jar.SetCookies(u, b.jar.Cookies(u))
	for _, route := range []*browser{b, old.elsewhere(t, set, spec)} {
		if w, got := route.get("/"); got == nil {
			t.Errorf("answered %d", w.Code)
		}
	}
	if n := p.refreshes.Load(); n != 1 {
		t.Errorf("renewed %d times", n)
	}
	b.get("/logout")
	if w, got := old.elsewhere(t, set, spec).get("/"); got != nil || w.Code != http.StatusUnauthorized {
		t.Errorf("after the logout on another route: %d", w.Code)
	}
}

// Some providers give no other refresh token, and tokens that are good for a moment.
func TestOIDCRenewsWithTheSameToken(t *testing.T) {
	p := newOpenID(t)
	p.rotates = func(token string) string { return token }
	b := newBrowser(t, p.oidc(t, NewSet(Options{}), p.spec()))
	b.login(t, p)
	for n := range int32(3) {
		b.hold(t, func(s *session) { s.Renew -= int64(time.Hour / time.Millisecond) })
		if w, got := b.get("/"); got == nil || p.refreshes.Load() != n+1 {
			t.Errorf("time %d: %d, renewed %d times", n+1, w.Code, p.refreshes.Load())
		}
	}
}

type closable struct{ closed int }

func (c *closable) close() { c.closed++ }

// What several have is closed by the last.
func TestSharedStateIsClosedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSet(Options{})
		a, b := model.Ref{Name: model.ParseName("a")}, model.Ref{Name: model.ParseName("b")}
		state := func(at model.Ref, like string) *closable {
			return sharedStateOf(s, place{middleware: at}, like, func() *closable { return new(closable) })
		}
		first := state(a, "one")
		if state(b, "one") != first || state(b, "two") == first || state(a, "one") != first {
			t.Error("what is alike is not shared, or what is not is")
		}
		state(b, "one")
		keep := func(refs ...model.Ref) {
			s.Keep(slices.Values(refs), slices.Values([]model.Ref{}))
			wait(keepUnused)
			s.Keep(slices.Values(refs), slices.Values([]model.Ref{}))
		}
		if keep(b); first.closed != 0 {
			t.Error("it is closed, and another has it")
		}
		if keep(); first.closed != 1 {
			t.Errorf("it is closed %d times", first.closed)
		}
	})
}
