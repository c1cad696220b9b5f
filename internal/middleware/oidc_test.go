package middleware

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/fairlead/fairlead/internal/model"
)

// openID is a provider that signs in everybody as amy.
type openID struct {
	*httptest.Server
	t    testing.TB
	keys *signers

	mu         sync.Mutex
	challenges map[string]string // of codes that were not redeemed yet
	nonces     map[string]string
	refresh    string // the token that is good now
	change     func(claims map[string]any)
	rotates    func(token string) string // the next refresh token
	refreshes  atomic.Int32
	denies     atomic.Bool // refresh tokens
	down       atomic.Bool
}

const oidcSecret = "a client's secret of more than 32 bytes"

func newOpenID(t testing.TB) *openID {
	t.Helper()
	p := &openID{
		t: t, keys: newSigners(t), challenges: map[string]string{}, nonces: map[string]string{}, refresh: "r0",
		change: func(map[string]any) {}, rotates: func(token string) string { return token + "+" },
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/auth?tenant=1", "token_endpoint": p.URL + "/token",
			"jwks_uri": p.URL + "/keys", "end_session_endpoint": p.URL + "/end",
			"authorization_response_iss_parameter_supported": true,
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(p.keys.jwks(t)) })
	mux.HandleFunc("POST /token", p.token)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

// authorize is what happens at the provider: it returns the code.
func (p *openID) authorize(to *url.URL) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	code := fmt.Sprint("code", len(p.nonces))
	p.challenges[code], p.nonces[code] = to.Query().Get("code_challenge"), to.Query().Get("nonce")
	return code
}

func (p *openID) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = r.ParseForm()
	id, secret, _ := r.BasicAuth()
	secret, _ = url.QueryUnescape(secret)
	code := r.PostForm.Get("code")
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	good := id == "shop" && secret == oidcSecret
	if r.PostForm.Get("grant_type") == "refresh_token" {
		p.refreshes.Add(1)
		good = good && r.PostForm.Get("refresh_token") == p.refresh && !p.denies.Load()
		p.refresh = p.rotates(p.refresh)
	} else {
		good = good && p.challenges[code] == base64.RawURLEncoding.EncodeToString(sum[:])
		delete(p.challenges, code) // it is good once
	}
	if !good {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
		return
	}
	c := p.claims()
	if code != "" {
		c["nonce"] = p.nonces[code]
	}
	p.change(c)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"id_token": p.sign(c), "access_token": "a", "token_type": "Bearer", "expires_in": 300, "refresh_token": p.refresh,
	})
}

func (p *openID) claims() map[string]any {
	now := time.Now().Unix()
	return map[string]any{"iss": p.URL, "aud": "shop", "sub": "amy", "sid": "s1", "iat": now, "exp": now + 300}
}

func (p *openID) sign(c map[string]any) string {
	payload, err := json.Marshal(c)
	if err != nil {
		p.t.Fatal(err)
	}
	return sign(p.t, jose.ES256, p.keys.ecdsa, kid("ecdsa"), string(payload))
}

func (p *openID) spec() model.OIDC {
	return model.OIDC{
		Issuer: p.URL, Client: model.OAuthClient{ID: "shop", Secret: model.NewSecret(oidcSecret)}, Redirect: "/callback",
		Scopes: []string{"offline_access"}, Params: map[string]string{"prompt": "consent"}, Logout: "/logout",
		BackchannelLogout: "/backchannel", ClaimUse: model.ClaimUse{Forward: map[string]string{"X-User": "sub"}},
	}
}

func (p *openID) oidc(t testing.TB, s *Set, spec model.OIDC) *oidc {
	t.Helper()
	o, err := makeOIDC(s, place{middleware: named(model.Middleware{}).Ref()}, &spec)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// browser has cookies, and asks for pages over TLS.
type browser struct {
	jar  *cookiejar.Jar
	oidc *oidc
}

func newBrowser(t testing.TB, o *oidc) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{jar, o}
}

func (b *browser) get(target string, fields ...string) (*httptest.ResponseRecorder, *seen) {
	fields = append([]string{"Accept: text/html", "X-Forwarded-Proto: https"}, fields...)
	r := request("https://shop.example"+target, fields...)
	for _, c := range b.jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	w, got := exchange(b.oidc.wrap, r)
	b.jar.SetCookies(r.URL, w.Result().Cookies())
	return w, got
}

// begin asks for a page, and returns where it was sent.
func (b *browser) begin(t testing.TB, page string) *url.URL {
	t.Helper()
	w, got := b.get(page)
	if w.Code != http.StatusFound || got != nil {
		t.Fatalf("a stranger gets %d", w.Code)
	}
	return mustURL(t, w.Header().Get("Location"))
}

// back is the address that the provider sends the browser back to.
func (p *openID) back(to *url.URL) string {
	return "/callback?" + url.Values{
		"code": {p.authorize(to)}, "state": {to.Query().Get("state")}, "iss": {p.URL},
	}.Encode()
}

func (b *browser) login(t testing.TB, p *openID) {
	t.Helper()
	if w, _ := b.get(p.back(b.begin(t, "/"))); w.Code != http.StatusFound {
		t.Fatalf("the callback answers %d", w.Code)
	}
}

func TestOIDCLogin(t *testing.T) {
	p := newOpenID(t)
	b := newBrowser(t, p.oidc(t, NewSet(Options{}), p.spec()))
	to := b.begin(t, "/orders/7?a=b%20c&d")
	query := to.Query()
	for name, want := range map[string]string{
		"tenant": "1", "prompt": "consent", "response_type": "code", "client_id": "shop",
		"redirect_uri": "https://shop.example/callback", "scope": "openid offline_access", "code_challenge_method": "S256",
	} {
		if got := query.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	w, _ := b.get(p.back(to))
	if w.Code != http.StatusFound || w.Header().Get("Location") != "/orders/7?a=b%20c&d" {
		t.Fatalf("after the login: %d, %v", w.Code, w.Header())
	}
	for _, c := range w.Result().Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("a cookie is weak: %s", c.Raw)
		}
	}
	_, got := b.get("/orders/7", "X-User: root", "X_user: root", "Cookie: mine=1")
	if got == nil || got.Header.Get("X-User") != "amy" || len(got.Header["X_user"]) > 0 {
		t.Fatalf("the service sees %v", got)
	}
	if cookies := got.Header["Cookie"]; len(cookies) != 1 || cookies[0] != "mine=1" {
		t.Errorf("the service sees the cookies %q", cookies)
	}
	denied := p.spec()
	denied.Claims = model.Claims{Op: model.Is, Test: model.ClaimEquals, Claim: "sub", Values: []string{"bob"}}
	b.oidc = p.oidc(t, NewSet(Options{}), denied)
	if w, _ := b.get("/"); w.Code != http.StatusForbidden {
		t.Errorf("without the claim: %d", w.Code)
	}
}

// What is no page is not redirected: a script could do nothing with a login page.
func TestOIDCAnswersScripts(t *testing.T) {
	p := newOpenID(t)
	o := p.oidc(t, NewSet(Options{}), p.spec())
	post := request("/", "Accept: text/html")
	post.Method = http.MethodPost
	for name, r := range map[string]*http.Request{
		"no page":  request("/", "Accept: application/json"),
		"fetch":    request("/", "Accept: text/html", "Sec-Fetch-Mode: cors"),
		"old":      request("/", "Accept: text/html", "X-Requested-With: XMLHttpRequest"),
		"POST":     post,
		"anything": request("/"),
	} {
		w, got := exchange(o.wrap, r)
		if w.Code != http.StatusUnauthorized || got != nil || w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d, %v", name, w.Code, w.Header())
		}
	}
	w, _ := exchange(o.wrap, request("/", "Accept: */*", "Sec-Fetch-Mode: navigate"))
	if w.Code != http.StatusFound {
		t.Errorf("a navigation: %d", w.Code)
	}
}

// RFC 9700 §4.7 (login CSRF), §4.4 (mix-up), §4.5 (code injection); Core §3.1.3.7; RFC 9207.
func TestOIDCRefusesHostileCallbacks(t *testing.T) {
	p := newOpenID(t)
	attack := func(name string, try func(t *testing.T, b *browser, to *url.URL) string) {
		t.Run(name, func(t *testing.T) {
			p.change = func(map[string]any) {}
			b := newBrowser(t, p.oidc(t, NewSet(Options{}), p.spec()))
			w, _ := b.get(try(t, b, b.begin(t, "/")))
			if w.Code < 400 || w.Code >= 500 {
				t.Errorf("answered %d, %v", w.Code, w.Header())
			}
			if w, got := b.get("/"); w.Code != http.StatusFound || got != nil {
				t.Errorf("signed in afterwards: %d", w.Code)
			}
		})
	}
	claim := func(name string, value any) func(*testing.T, *browser, *url.URL) string {
		return func(_ *testing.T, _ *browser, to *url.URL) string {
			p.change = func(c map[string]any) { c[name] = value }
			return p.back(to)
		}
	}
	change := func(old, with string) func(*testing.T, *browser, *url.URL) string {
		return func(_ *testing.T, _ *browser, to *url.URL) string { return strings.Replace(p.back(to), old, with, 1) }
	}
	attack("the login of another browser", func(t *testing.T, b *browser, _ *url.URL) string {
		return p.back(newBrowser(t, b.oidc).begin(t, "/"))
	})
	attack("the code of another login", func(t *testing.T, b *browser, to *url.URL) string {
		other := newBrowser(t, b.oidc).begin(t, "/")
		q := to.Query()
		other.RawQuery = strings.Replace(other.RawQuery, other.Query().Get("state"), q.Get("state"), 1)
		return p.back(other)
	})
	attack("twice", func(t *testing.T, b *browser, to *url.URL) string {
		back := p.back(to)
		other := newBrowser(t, b.oidc)
		u := mustURL(t, "https://shop.example/")
		other.jar.SetCookies(u, b.jar.Cookies(u))
		if w, _ := other.get(back); w.Code != http.StatusFound {
			t.Fatalf("the first time: %d", w.Code)
		}
		return back
	})
	attack("no state", change("state=", "other="))
	attack("another state", change("state=", "state=A"))
	attack("state that ends otherwise", func(_ *testing.T, _ *browser, to *url.URL) string {
		state := to.Query().Get("state")
		return strings.Replace(p.back(to), state, state[:len(state)-1]+string('A'+(state[len(state)-1]-'A'+1)%26), 1)
	})
	attack("state that names a cookie", change("state=", "state=..%2F..%3B&x="))
	attack("two states", change("state=", "state=A&state="))
	attack("two codes", change("code=", "code=x&code="))
	attack("no code", change("code=", "other="))
	attack("unknown code", change("code=", "code=x"))
	attack("another issuer", change("iss=", "iss=https%3A%2F%2Fevil.example&other="))
	attack("no issuer", change("iss=", "other="))
	attack("refused by the provider", change("code=", "error=access_denied&other="))
	attack("another nonce", claim("nonce", "x"))
	attack("no nonce", claim("nonce", nil))
	attack("no subject", claim("sub", ""))
	attack("another audience", claim("aud", "admin"))
	attack("for another party", claim("azp", "admin"))
	attack("from another issuer", claim("iss", "https://evil.example"))
	attack("expired", claim("exp", 1))
	attack("too late", func(t *testing.T, b *browser, to *url.URL) string {
		u := mustURL(t, "https://shop.example/")
		state := to.Query().Get("state")
		l := new(login)
		header := http.Header{}
		for _, c := range b.jar.Cookies(u) {
			header.Add("Cookie", c.String())
		}
		if !b.oidc.login.open(header, b.oidc.loginCookie(state), l) {
			t.Fatal("no login")
		}
		l.Begun -= (usualLoginTime + time.Second).Milliseconds()
		lines, _ := b.oidc.login.seal(http.Header{}, b.oidc.loginCookie(state), l)
		b.jar.SetCookies(u, cookiesOf(lines))
		return p.back(to)
	})
}

func cookiesOf(lines []string) []*http.Cookie {
	return (&http.Response{Header: http.Header{"Set-Cookie": lines}}).Cookies()
}

// A page is one on the same host, whatever its path looks like (CWE-601).
func TestOIDCIsNoOpenRedirect(t *testing.T) {
	for path, want := range map[string]string{
		"/a/b": "/a/b", "//evil.example/a": "/evil.example/a", `/\evil.example`: "/%5Cevil.example",
		"///evil.example": "/evil.example", "/%2F/evil.example": "/%2F/evil.example", "/a//b": "/a//b",
	} {
		u := &url.URL{Path: path}
		if unescaped, err := url.PathUnescape(path); err == nil {
			u = &url.URL{Path: unescaped, RawPath: path}
		}
		got := localPage(u)
		if got != want {
			t.Errorf("%s becomes %s, want %s", path, got, want)
		}
		at, err := mustURL(t, "https://shop.example/callback").Parse(got)
		if err != nil || at.Host != "shop.example" {
			t.Errorf("%s leads to %v (%v)", path, at, err)
		}
	}
}
