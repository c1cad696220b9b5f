package middleware

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/model"
)

func hashOf(key string) model.Secret {
	sum := sha256.Sum256([]byte(key))
	return model.NewSecret(hex.EncodeToString(sum[:]))
}

// store is a key store: key to owner, all with one scope.
type store struct {
	scope  string
	owners map[string]string
}

func (s store) VerifyKey(key, scope string) (string, bool) {
	owner, ok := s.owners[key]
	return owner, ok && scope == s.scope
}

func TestAPIKey(t *testing.T) {
	everywhere := model.APIKey{
		Header: "X-Api-Key", Query: "key", Cookie: "key", IdentityHeader: "X-User",
		Hashes: []model.Secret{hashOf("other"), hashOf("k1"), hashOf("with space")}, Scope: "route:shop",
	}
	bearer := model.APIKey{Header: "authorization", Hashes: everywhere.Hashes}
	huge := strings.Repeat("k", maxCredential+1)
	kept := everywhere
	kept.KeepKey = true
	s := NewSet(Options{Keys: store{"route:shop", map[string]string{"stored": "team-a", "bad-owner": "a\r\nX-Admin: 1"}}})

	cases := map[string]struct {
		spec model.APIKey
		r    *http.Request
		want *seen // nil: 401; Header is what is left
	}{
		"in the field": {everywhere, request("/", "X-Api-Key: k1"), &seen{Header: http.Header{}}},
		"in the query": {everywhere, request("/?key=k1"), &seen{Header: http.Header{}}},
		"query keeps order": {
			everywhere, request("/?z=1&key=k1&a=%20&b&key=other"), &seen{Query: "z=1&a=%20&b", Header: http.Header{}},
		},
		"query name in disguise": {everywhere, request("/?%6bey=k1&a=1"), &seen{Query: "a=1", Header: http.Header{}}},
		"query value escaped":    {everywhere, request("/?key=with+space"), &seen{Header: http.Header{}}},
		"in the cookie": {everywhere, request("/", "Cookie: a=b; key=k1; c=d"), &seen{
			Header: http.Header{"Cookie": {"a=b; c=d"}},
		}},
		"in one of two cookie lines": {everywhere, request("/", "Cookie: key=k1", "Cookie: keyless=1"), &seen{
			Header: http.Header{"Cookie": {"keyless=1"}},
		}},
		"in a quoted cookie": {everywhere, request("/", `Cookie: key="k1"`), &seen{Header: http.Header{}}},
		"removed everywhere": {everywhere, request("/?key=x", "X-Api-Key: k1", "X-Api-Key: y", "Cookie: key=z"), &seen{
			Header: http.Header{},
		}},
		"kept": {kept, request("/?key=k1"), &seen{Query: "key=k1", Header: http.Header{}}},
		"from the store": {everywhere, request("/", "X-Api-Key: stored"), &seen{
			Header: http.Header{"X-User": {"team-a"}},
		}},
		"owner that is no field value": {everywhere, request("/", "X-Api-Key: bad-owner"), &seen{Header: http.Header{}}},
		"spoofed identity": {
			everywhere, request("/", "X-Api-Key: k1", "X-User: admin", "X_user: admin", "X-Users: a_b"),
			&seen{Header: http.Header{"X-Users": {"a_b"}}},
		},
		"spoofed identity beside one": {everywhere, request("/", "X-Api-Key: stored", "X-User: admin"), &seen{
			Header: http.Header{"X-User": {"team-a"}},
		}},
		"bearer":            {bearer, request("/", "Authorization: bearer k1"), &seen{Header: http.Header{}}},
		"basic is not ours": {bearer, request("/", "Authorization: Basic k1"), nil},
		"bare token":        {bearer, request("/", "Authorization: k1"), nil},
		"empty bearer":      {bearer, request("/", "Authorization: Bearer "), nil},
		"no key":            {everywhere, request("/"), nil},
		"empty key":         {everywhere, request("/?key=", "X-Api-Key: ", "Cookie: key="), nil},
		"wrong key":         {everywhere, request("/", "X-Api-Key: k2"), nil},
		"its hash":          {everywhere, request("/", "X-Api-Key: "+hashOf("k1").Reveal()), nil},
		"the first decides": {everywhere, request("/?key=k1", "X-Api-Key: k2"), nil},
		"huge key": {
			model.APIKey{Header: "X-Api-Key", Hashes: []model.Secret{hashOf(huge)}}, request("/", "X-Api-Key: "+huge), nil,
		},
		"another's Authorization stays": {
			model.APIKey{Header: "Authorization", Query: "key", Hashes: everywhere.Hashes},
			request("/?key=k1", "Authorization: Basic YTpi"), &seen{Header: http.Header{"Authorization": {"Basic YTpi"}}},
		},
		"broken escape": {everywhere, request("/?key=%zz"), nil},
		"other scope": {
			model.APIKey{Header: "X-Api-Key", Scope: "route:admin"}, request("/", "X-Api-Key: stored"), nil,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w, got := exchange(build(t, s, model.Middleware{APIKey: &c.spec}), c.r)
			if c.want == nil {
				checkRefused(t, w, got, `ApiKey realm="fairlead"`, `Bearer realm="fairlead"`)
				return
			}
			if got == nil {
				t.Fatalf("refused with %d", w.Code)
			}
			if got.Query != c.want.Query || !cmp.Equal(got.Header, c.want.Header) {
				t.Errorf("service saw query %q, fields %v; want %q, %v", got.Query, got.Header, c.want.Query, c.want.Header)
			}
			if want := mustURL(t, got.URI).RawQuery; want != got.Query {
				t.Errorf("RequestURI %q does not agree with the query %q", got.URI, got.Query)
			}
		})
	}
}

// checkRefused wants a 401 with one of the challenges, which is the same whatever was wrong.
func checkRefused(t *testing.T, w *httptest.ResponseRecorder, got *seen, challenges ...string) {
	t.Helper()
	if got != nil || w.Code != http.StatusUnauthorized {
		t.Fatalf("status %d, reached the service: %v", w.Code, got != nil)
	}
	if body := w.Body.String(); body != "Unauthorized\n" {
		t.Errorf("body %q", body)
	}
	for _, c := range challenges {
		if w.Header().Get("WWW-Authenticate") == c {
			return
		}
	}
	t.Errorf("challenge %q", w.Header().Get("WWW-Authenticate"))
}

func FuzzWithoutQuery(f *testing.F) {
	f.Add("a=1&key=2&b=3")
	f.Add("%6b%65y=1&;key=2&&=")
	f.Fuzz(func(t *testing.T, query string) {
		rest, found := withoutQuery(query, "key")
		if (credentialSource{Query: "key"}).first(&http.Request{URL: &url.URL{RawQuery: rest}}) != "" {
			t.Errorf("%q still has the key: %q", query, rest)
		}
		if !found && rest != query {
			t.Errorf("%q became %q", query, rest)
		}
		if again, _ := withoutQuery(rest, "key"); again != rest {
			t.Errorf("removed twice: %q, %q", rest, again)
		}
	})
}
