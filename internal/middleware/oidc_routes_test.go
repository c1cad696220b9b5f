package middleware

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
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
		b.hold(t, func(s *session) { s.Renew -= int64(n+1) * time.Hour.Milliseconds() })
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
			var there []*model.Middleware
			for _, ref := range refs {
				there = append(there, &model.Middleware{Name: ref.Name})
			}
			s.Keep(there, nil)
			wait(keepUnused)
			s.Keep(there, nil)
		}
		if keep(b); first.closed != 0 {
			t.Error("it is closed, and another has it")
		}
		if keep(); first.closed != 1 {
			t.Errorf("it is closed %d times", first.closed)
		}
	})
}

// Pages of somebody who has signed in are kept nowhere, if their service does not say that they may be.
func TestOIDCPagesAreNotKept(t *testing.T) {
	p := newOpenID(t)
	b := newBrowser(t, p.oidc(t, NewSet(Options{}), p.spec()))
	b.login(t, p)
	for _, c := range []struct{ mode, kept, says, want string }{
		{"navigate", "Cache-Control", "", "no-store"},
		{"navigate", "Cache-Control", "private, max-age=60", "private, max-age=60"},
		{"navigate", "Expires", "Thu, 01 Jan 2099 00:00:00 GMT", ""},
		{"cors", "Cache-Control", "", ""},
	} {
		r := request("https://shop.example/", "Sec-Fetch-Mode: "+c.mode)
		for _, cookie := range b.jar.Cookies(r.URL) {
			r.AddCookie(cookie)
		}
		w := httptest.NewRecorder()
		b.oidc.wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if c.says != "" {
				w.Header().Set(c.kept, c.says)
			}
		})).ServeHTTP(w, r)
		h := w.Header()
		if w.Code != http.StatusOK || h.Get("Cache-Control") != c.want || len(h["Set-Cookie"]) > 0 {
			t.Errorf("%+v: %d, %v", c, w.Code, w.Header())
		}
	}
}

// The token of one route is no business of the services on the others, and ends with the session wherever that ends.
func TestOIDCCSRFBesideRoutesWithout(t *testing.T) {
	p := newOpenID(t)
	set, spec := NewSet(Options{}), p.spec()
	spec.CSRF = &model.CSRF{}
	b := newBrowser(t, p.oidc(t, set, spec))
	b.login(t, p)
	without := b.elsewhere(t, set, p.spec())
	if w, got := without.get("/"); got == nil || len(got.Header["Cookie"]) > 0 || b.csrfToken(t) == "" {
		t.Errorf("%d; the service sees %v", w.Code, got)
	}
	status, got := without.ask(http.MethodPost, csrfField+": x")
	if status != http.StatusOK || len(got.Header[csrfField]) == 0 {
		t.Errorf("the field is the service's own: %d", status)
	}
	if without.get("/logout"); b.csrfToken(t) != "" {
		t.Error("the token outlives its session")
	}
}
