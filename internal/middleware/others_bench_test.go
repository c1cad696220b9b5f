package middleware

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// BenchmarkBesideOthers is the price of a request that passes a middleware which needs somebody else: a server that it
// asked before, a login, a program. What bench measures in whole needs no one.
func BenchmarkBesideOthers(b *testing.B) {
	for _, m := range []struct {
		name string
		make func(b *testing.B) (Func, func() *http.Request)
	}{
		{"none", func(*testing.B) (Func, func() *http.Request) {
			return func(h http.Handler) http.Handler { return h }, always("GET", "/")
		}},
		{"digestAuth", benchDigestAuth},
		{"ldap (a password that was verified before)", benchLDAP},
		{"oAuthClientCredentials (a token that is good)", benchClientCredentials},
		{"oAuthIntrospection (a token that was asked for before)", benchIntrospection},
		{"oidc (a session in cookies)", benchOIDC},
		{"wasm (adds a field to the request and to the answer)", benchWASM},
	} {
		b.Run(m.name, func(b *testing.B) {
			f, ask := m.make(b)
			served := 0
			h := f(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				served++
				w.WriteHeader(http.StatusOK)
			}))
			asked := 0
			b.ReportAllocs()
			for b.Loop() {
				asked++
				b.StopTimer() // what the client does is not the price
				r, w := ask(), &discard{http.Header{}}
				b.StartTimer()
				h.ServeHTTP(w, r)
			}
			if served != asked {
				b.Errorf("%d of %d were served", served, asked)
			}
		})
	}
}

// always makes the same request anew each time.
func always(method, target string, fields ...string) func() *http.Request {
	return func() *http.Request {
		r := request(target, fields...)
		r.Method = method
		return r
	}
}

// benchDigestAuth makes requests with the next count each, as the middleware wants.
func benchDigestAuth(b *testing.B) (Func, func() *http.Request) {
	f := build(b, NewSet(Options{}), model.Middleware{DigestAuth: &model.DigestAuth{
		Users: []model.Secret{digestLine("ann", "rope", true)},
	}})
	challenge, count, client := challengeOf(b, f), 0, digestClient{"ann", "rope", true}
	return f, func() *http.Request {
		count++
		return request("/", "Authorization: "+client.answer(challenge, "GET", "/", count, nil))
	}
}

func benchLDAP(b *testing.B) (Func, func() *http.Request) {
	s := NewSet(Options{})
	b.Cleanup(func() { closeAll(s) })
	spec := newLDAPTwin(b).searching()
	return build(b, s, model.Middleware{LDAP: &spec}), always("GET", "/", "Authorization: Basic YW5uOnJpZ2h0")
}

func benchClientCredentials(b *testing.B) (Func, func() *http.Request) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"access_token":"t","token_type":"bearer","expires_in":3600}`)
	}))
	b.Cleanup(server.Close)
	return build(b, NewSet(Options{}), model.Middleware{OAuthClientCredentials: &model.OAuthClientCredentials{
		URL: server.URL, Client: model.OAuthClient{ID: "shop", Secret: model.NewSecret("s")},
	}}), always("GET", "/")
}

func benchIntrospection(b *testing.B) (Func, func() *http.Request) {
	server := newIntrospector(b, map[string]string{
		"good": fmt.Sprintf(`{"active":true,"exp":%d}`, time.Now().Unix()+3600),
	})
	return build(b, NewSet(Options{}), model.Middleware{OAuthIntrospection: &model.OAuthIntrospection{
		Token: bearer, URL: server.URL, Client: model.OAuthClient{ID: "shop", Secret: model.NewSecret("s")},
	}}), always("GET", "/", "Authorization: Bearer good")
}

func benchOIDC(b *testing.B) (Func, func() *http.Request) {
	p := newOpenID(b)
	person := newBrowser(b, p.oidc(b, NewSet(Options{}), p.spec()))
	person.login(b, p)
	const page = "https://shop.example/"
	fields := []string{"Accept: text/html", "X-Forwarded-Proto: https"}
	for _, c := range person.jar.Cookies(mustURL(b, page)) {
		fields = append(fields, "Cookie: "+c.Name+"="+c.Value)
	}
	return person.oidc.wrap, always("GET", page, fields...)
}

func benchWASM(b *testing.B) (Func, func() *http.Request) {
	s := NewSet(Options{})
	b.Cleanup(func() { closeAll(s) })
	return build(b, s, model.Middleware{WASM: &model.WASM{
		Code: guest(b), Sum: "1", Config: model.NewSecret("c"), MemoryBytes: 32 << 20, Timeout: 5 * time.Second,
	}}), always("POST", "/")
}
