package middleware

import (
	"net/http"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

const csrfField = "Traefikhub-Csrf-Token" // as the server reads it

// ask sends a request of the page that a browser has open.
func (b *browser) ask(method string, fields ...string) (int, *seen) {
	r := request("https://shop.example/cart", fields...)
	r.Method = method
	for _, c := range b.jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	w, got := exchange(b.oidc.wrap, r)
	b.jar.SetCookies(r.URL, w.Result().Cookies())
	return w.Code, got
}

// csrfToken is what scripts find.
func (b *browser) csrfToken(t *testing.T) string {
	t.Helper()
	for _, c := range b.jar.Cookies(mustURL(t, "https://shop.example/")) {
		if c.Name == csrfCookie {
			return c.Value
		}
	}
	return ""
}

func TestOIDCCSRF(t *testing.T) {
	p := newOpenID(t)
	spec := p.spec()
	spec.CSRF = &model.CSRF{Header: "X-Csrf"}
	b := newBrowser(t, p.oidc(t, NewSet(Options{}), spec))
	b.login(t, p)
	token := b.csrfToken(t)
	other := newBrowser(t, b.oidc) // of somebody else, who can sign in, too
	other.login(t, p)
	for name, c := range map[string]struct {
		method string
		fields []string
		status int
	}{
		"safe":                   {http.MethodGet, nil, 200},
		"safe without a body":    {http.MethodHead, nil, 200},
		"preflight":              {http.MethodOptions, nil, 200},
		"none":                   {http.MethodPost, nil, 403},
		"of a method unheard":    {"BREW", nil, 403},
		"in lower case":          {"get", nil, 403},
		"empty":                  {http.MethodDelete, []string{"X-Csrf: "}, 403},
		"in another field":       {http.MethodPut, []string{csrfField + ": " + token}, 403},
		"of somebody else":       {http.MethodPatch, []string{"X-Csrf: " + other.csrfToken(t)}, 403},
		"twice":                  {http.MethodPost, []string{"X-Csrf: " + token, "X-Csrf: " + token}, 403},
		"a good one":             {http.MethodPost, []string{"X-Csrf: " + token}, 200},
		"of a method of its own": {"BREW", []string{"X-Csrf: " + token}, 200},
	} {
		status, got := b.ask(c.method, c.fields...)
		if status != c.status || (got != nil) != (c.status == 200) {
			t.Errorf("%s: %d, want %d", name, status, c.status)
		}
		if got != nil && (len(got.Header["X-Csrf"]) > 0 || len(got.Header["Cookie"]) > 0) {
			t.Errorf("%s: the service sees %v", name, got.Header)
		}
	}
}

// Somebody who can write cookies of the host, as a neighbour under the same domain can, has no token of the session.
func TestOIDCCSRFCookieIsBoundToTheSession(t *testing.T) {
	p := newOpenID(t)
	spec := p.spec()
	spec.CSRF = &model.CSRF{}
	b := newBrowser(t, p.oidc(t, NewSet(Options{}), spec))
	b.login(t, p)
	token := b.csrfToken(t)
	u := mustURL(t, "https://shop.example/")
	b.jar.SetCookies(u, []*http.Cookie{{Name: csrfCookie, Value: "planted", Path: "/"}})
	if status, _ := b.ask(http.MethodPost, csrfField+": planted"); status != http.StatusForbidden {
		t.Errorf("a cookie that was planted: %d", status)
	}
	if got := b.csrfToken(t); got != token {
		t.Errorf("the browser is left with %q", got)
	}
	if status, _ := b.ask(http.MethodPost, csrfField+": "+token); status != http.StatusOK {
		t.Errorf("with the token: %d", status)
	}
	b.hold(t, func(s *session) { s.Ends = 1 })
	b.login(t, p)
	if status, _ := b.ask(http.MethodPost, csrfField+": "+token); status != http.StatusForbidden {
		t.Errorf("the token of a session before: %d", status)
	}
	if w, _ := b.get("/logout"); w.Code != http.StatusFound || b.csrfToken(t) != "" {
		t.Errorf("after the logout: %d, token %q", w.Code, b.csrfToken(t))
	}
}

func TestOIDCCSRFCookie(t *testing.T) {
	p := newOpenID(t)
	for name, spec := range map[string]model.CSRF{"secure": {}, "insecure": {Insecure: true}} {
		with := p.spec()
		with.CSRF = &spec
		b := newBrowser(t, p.oidc(t, NewSet(Options{}), with))
		w, _ := b.get(p.back(b.begin(t, "/")))
		for _, c := range w.Result().Cookies() {
			if c.Name == csrfCookie && (c.Secure == spec.Insecure || c.HttpOnly || c.SameSite != http.SameSiteLaxMode ||
				c.MaxAge != int(usualSessionExpiry.Seconds())) {
				t.Errorf("%s: %s", name, c.Raw)
			}
		}
		if b.csrfToken(t) == "" {
			t.Errorf("%s: there is no token after the login", name)
		}
	}
}

// Nobody is sent to the provider where disableLogin is; who has signed in on another route is admitted.
func TestOIDCWithoutLogin(t *testing.T) {
	p := newOpenID(t)
	set, spec := NewSet(Options{}), p.spec()
	spec.CSRF = &model.CSRF{}
	b := newBrowser(t, p.oidc(t, set, spec))
	login := b.oidc
	spec.NoLogin = true
	b.oidc = p.oidc(t, set, spec)
	w, got := b.get("/", "Sec-Fetch-Mode: navigate")
	if w.Code != http.StatusUnauthorized || got != nil || w.Header().Get("Location") != "" ||
		len(w.Result().Cookies()) != 0 || w.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("a stranger: %d, %v", w.Code, w.Header())
	}
	b.oidc = login
	b.login(t, p)
	b.oidc = p.oidc(t, set, spec)
	if w, got := b.get("/"); got == nil {
		t.Errorf("somebody signed in: %d", w.Code)
	}
	b.hold(t, func(s *session) { s.Ends = 1 })
	if w, _ := b.get("/"); w.Code != http.StatusUnauthorized || b.csrfToken(t) != "" {
		t.Errorf("after its end: %d, token %q", w.Code, b.csrfToken(t))
	}
}
