package middleware

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// hold gives a browser the session, as it is after change.
func (b *browser) hold(t *testing.T, change func(*session)) {
	t.Helper()
	u := mustURL(t, "https://shop.example/")
	header := http.Header{}
	for _, c := range b.jar.Cookies(u) {
		header.Add("Cookie", c.String())
	}
	s, err := b.oidc.open(t.Context(), header)
	if err != nil {
		t.Fatal("there is no session")
	}
	change(s)
	lines, _ := b.oidc.session.seal(header, b.oidc.cookie, s)
	b.jar.SetCookies(u, cookiesOf(lines))
}

func TestOIDCRenews(t *testing.T) {
	p := newOpenID(t)
	set := NewSet(Options{})
	b := newBrowser(t, p.oidc(t, set, p.spec()))
	b.login(t, p)
	due := func(s *session) { s.Renew = time.Now().UnixMilli() - 1 }
	b.hold(t, due)
	var wg sync.WaitGroup
	for range 10 { // as a page does that loads its parts
		old := &browser{oidc: b.oidc}
		old.jar, _ = cookiejar.New(nil)
		u := mustURL(t, "https://shop.example/")
		old.jar.SetCookies(u, b.jar.Cookies(u))
		wg.Go(func() {
			if w, got := old.get("/"); got == nil || len(w.Result().Cookies()) == 0 {
				t.Errorf("status %d, cookies %v", w.Code, w.Result().Cookies())
			}
		})
	}
	wg.Wait()
	b.oidc = p.oidc(t, set, p.spec()) // a reload forgets nothing
	if w, got := b.get("/"); got == nil {
		t.Errorf("with the old cookie: %d", w.Code)
	}
	if n := p.refreshes.Load(); n != 1 {
		t.Errorf("renewed %d times", n)
	}
	if w, got := b.get("/"); got == nil || len(w.Result().Cookies()) != 0 {
		t.Errorf("with the new cookie: %d", w.Code)
	}

	p.down.Store(true)
	b.hold(t, due)
	if w, got := b.get("/"); got == nil {
		t.Errorf("while the provider is away: %d", w.Code)
	}
	b.hold(t, func(s *session) { s.Renew -= (renewGrace + time.Second).Milliseconds() })
	if w, _ := b.get("/"); w.Code != http.StatusBadGateway {
		t.Errorf("while the provider is away for long: %d", w.Code)
	}
	p.down.Store(false)
	if w, got := b.get("/"); got == nil {
		t.Errorf("when it is back: %d", w.Code)
	}
	p.change = func(c map[string]any) { c["sub"] = "bob" }
	b.hold(t, due)
	if w, _ := b.get("/"); w.Code != http.StatusFound {
		t.Errorf("as somebody else: %d", w.Code)
	}
	p.denies.Store(true)
	b.hold(t, func(s *session) { s.Refresh += "x"; due(s) })
	if w, _ := b.get("/"); w.Code != http.StatusFound {
		t.Errorf("when the provider has ended the session: %d", w.Code)
	}
}

func TestOIDCSessionEnds(t *testing.T) {
	p := newOpenID(t)
	spec := p.spec()
	b := newBrowser(t, p.oidc(t, NewSet(Options{}), spec))
	b.login(t, p)
	b.hold(t, func(s *session) { s.Ends -= (usualSessionExpiry / 2).Milliseconds() })
	if w, got := b.get("/"); got == nil || len(w.Result().Cookies()) == 0 {
		t.Errorf("a session that is used is not made longer: %d", w.Code)
	}
	spec.Session.Fixed = true
	b.oidc = p.oidc(t, NewSet(Options{}), spec)
	b.hold(t, func(s *session) { s.Ends -= (usualSessionExpiry / 2).Milliseconds() })
	if w, got := b.get("/"); got == nil || len(w.Result().Cookies()) != 0 {
		t.Errorf("one that is fixed is made longer: %d", w.Code)
	}
	b.hold(t, func(s *session) { s.Ends = time.Now().UnixMilli() - 1 })
	if w, _ := b.get("/"); w.Code != http.StatusFound {
		t.Errorf("after its end: %d", w.Code)
	}
}

func TestOIDCLogout(t *testing.T) {
	p := newOpenID(t)
	spec := p.spec()
	spec.AfterLogout = "/bye"
	b := newBrowser(t, p.oidc(t, NewSet(Options{}), spec))
	b.login(t, p)
	thief := newBrowser(t, b.oidc)
	u := mustURL(t, "https://shop.example/")
	thief.jar.SetCookies(u, b.jar.Cookies(u))
	w, _ := b.get("/logout")
	to := mustURL(t, w.Header().Get("Location"))
	if !strings.HasPrefix(to.String(), p.URL+"/end?") || to.Query().Get("id_token_hint") == "" ||
		to.Query().Get("post_logout_redirect_uri") != "https://shop.example/bye" {
		t.Errorf("sent to %s", to)
	}
	if left := b.jar.Cookies(u); len(left) != 0 {
		t.Errorf("cookies are left: %v", left)
	}
	if w, _ := thief.get("/"); w.Code != http.StatusFound {
		t.Errorf("a copy of the cookie is good: %d", w.Code)
	}
	if w, _ := b.get("/logout"); w.Header().Get("Location") != "https://shop.example/bye" {
		t.Errorf("a stranger is sent to %v", w.Header())
	}
}

// OpenID Connect Back-Channel Logout 1.0 §2.4, §2.6.
func TestOIDCBackchannelLogout(t *testing.T) {
	p := newOpenID(t)
	set := NewSet(Options{})
	o := p.oidc(t, set, p.spec())
	b := newBrowser(t, o)
	b.login(t, p)
	tell := func(token string) int {
		r := httptest.NewRequest(http.MethodPost, "https://shop.example/backchannel",
			strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w, _ := exchange(o.wrap, r)
		return w.Code
	}
	token := func(change func(map[string]any)) string {
		c := p.claims()
		c["jti"], c["events"] = "1", map[string]any{logoutEvent: map[string]any{}}
		change(c)
		return p.sign(c)
	}
	good := token(func(map[string]any) {})
	parts := strings.Split(good, ".")
	for name, hostile := range map[string]string{
		"none":              "",
		"an ID token":       p.sign(p.claims()),
		"with a nonce":      token(func(c map[string]any) { c["nonce"] = "n" }),
		"another event":     token(func(c map[string]any) { c["events"] = map[string]any{"x": map[string]any{}} }),
		"event of a text":   token(func(c map[string]any) { c["events"] = map[string]any{logoutEvent: "x"} }),
		"of nobody":         token(func(c map[string]any) { delete(c, "sub"); delete(c, "sid") }),
		"another audience":  token(func(c map[string]any) { c["aud"] = "admin" }),
		"another issuer":    token(func(c map[string]any) { c["iss"] = "https://evil.example" }),
		"expired":           token(func(c map[string]any) { c["exp"] = 1 }),
		"no time":           token(func(c map[string]any) { delete(c, "iat") }),
		"alg none":          base64url(`{"alg":"none"}`) + "." + parts[1] + ".",
		"another signature": parts[0] + "." + parts[1] + "." + strings.Split(p.sign(p.claims()), ".")[2],
	} {
		if code := tell(hostile); code != http.StatusBadRequest {
			t.Errorf("%s: %d", name, code)
		}
	}
	if w, got := b.get("/"); got == nil {
		t.Fatalf("signed out by a hostile token: %d", w.Code)
	}
	if w, _ := b.get("/backchannel"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", w.Code)
	}
	if code := tell(token(func(c map[string]any) { c["sid"] = "s2" })); code != http.StatusOK {
		t.Errorf("of another session: %d", code)
	}
	b.oidc = p.oidc(t, set, p.spec()) // a reload forgets nothing
	if w, got := b.get("/"); got == nil {
		t.Fatalf("signed out with another session: %d", w.Code)
	}
	if code := tell(good); code != http.StatusOK {
		t.Errorf("of this session: %d", code)
	}
	if w, _ := b.get("/"); w.Code != http.StatusFound {
		t.Errorf("still signed in: %d", w.Code)
	}
}
