package middleware

import (
	"crypto/md5" //nolint:gosec // see digestauth.go
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/model"
)

// digestClient answers challenges as a client does, in a way of its own.
type digestClient struct {
	user, password string
	sha            bool
}

func (c digestClient) hash(text string) string {
	if c.sha {
		return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
	}
	return fmt.Sprintf("%x", md5.Sum([]byte(text)))
}

// answer returns the parameters for a request, changed by change.
func (c digestClient) answer(challenge, method, uri string, count int, change func(map[string]string)) string {
	nonce := regexp.MustCompile(`nonce="([^"]+)"`).FindStringSubmatch(challenge)[1]
	p := map[string]string{
		"username": c.user, "realm": "shop", "nonce": nonce, "uri": uri, "nc": fmt.Sprintf("%08x", count),
		"cnonce": "0a4f113b", "qop": "auth",
	}
	p["response"] = c.hash(c.hash(c.user+":shop:"+c.password) + ":" + nonce + ":" + p["nc"] + ":0a4f113b:auth:" +
		c.hash(method+":"+uri))
	if change != nil {
		change(p)
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(p)) {
		list = append(list, fmt.Sprintf("%s=%q", name, p[name]))
	}
	return "Digest " + strings.Join(list, ", ")
}

func digestLine(user, password string, sha bool) model.Secret {
	return model.NewSecret(user + ":shop:" + digestClient{sha: sha}.hash(user+":shop:"+password))
}

// challengeOf returns what a stranger is asked.
func challengeOf(t testing.TB, f Func) string {
	t.Helper()
	w := &reasons{ResponseRecorder: httptest.NewRecorder()}
	f(http.NotFoundHandler()).ServeHTTP(w, request("/"))
	challenge := w.Header().Get("WWW-Authenticate")
	known := strings.HasPrefix(challenge, `Digest realm="shop", qop="auth"`)
	if w.Code != 401 || w.reason != "refused_by_digestAuth" || !known {
		t.Fatalf("got %d %q %q", w.Code, w.reason, challenge)
	}
	return challenge
}

func TestDigestAuth(t *testing.T) {
	for _, sha := range []bool{false, true} {
		s := NewSet(Options{})
		spec := model.Middleware{DigestAuth: &model.DigestAuth{
			Users: []model.Secret{digestLine("ann", "rope", sha), digestLine("bob", "sail", sha)}, HeaderField: "X-User",
			RemoveHeader: true,
		}}
		f := build(t, s, spec)
		challenge := challengeOf(t, f)
		if strings.Contains(challenge, "SHA-256") != sha {
			t.Errorf("challenge %s", challenge)
		}
		client := digestClient{"bob", "sail", sha}
		for count := 1; count <= 2; count++ {
			const uri = "/a%2Fb?x=1"
			r := request(uri, "Authorization: "+client.answer(challenge, "GET", uri, count, nil), "X-User: root")
			w, got := exchange(f, r)
			if got == nil || got.Header.Get("X-User") != "bob" || got.Header.Get("Authorization") != "" {
				t.Errorf("request %d: %d %+v", count, w.Code, got)
			}
		}
		r := request("/", "Authorization: "+client.answer(challenge, "GET", "/", 3, nil))
		if w, got := exchange(build(t, s, spec), r); got == nil {
			t.Errorf("after a reload: %d", w.Code)
		}
	}
}

// Each is refused, with what says so beside it.
func TestDigestAuthRefuses(t *testing.T) {
	set := func(name, value string) func(map[string]string) { return func(p map[string]string) { p[name] = value } }
	ann := digestClient{"ann", "rope", false}
	cases := map[string]struct {
		client digestClient
		method string
		change func(map[string]string)
	}{
		"wrong password":             {digestClient{"ann", "knot", false}, "GET", nil},
		"unknown user":               {digestClient{"eve", "rope", false}, "GET", nil},
		"another method":             {ann, "DELETE", nil},                      // RFC 7616 §3.4.3
		"another path":               {ann, "GET", set("uri", "/other")},        // §3.4
		"another realm":              {ann, "GET", set("realm", "other")},       // §3.4.2
		"no quality of protection":   {ann, "GET", set("qop", "")},              // §3.4.1: RFC 2069
		"a count that is none":       {ann, "GET", set("nc", "x")},              // §3.4
		"a count of nothing":         {ann, "GET", set("nc", "00000000")},       // §3.4
		"no nonce of the client":     {ann, "GET", set("cnonce", "")},           // §3.4
		"a nonce that is not ours":   {ann, "GET", set("nonce", "AAAA")},        // §5.5
		"another user's proof":       {ann, "GET", set("username", "bob")},      // §3.4.2
		"a response that is no hash": {ann, "GET", set("response", "d41d8cd9")}, // §3.4.1
	}
	f := build(t, NewSet(Options{}), model.Middleware{DigestAuth: &model.DigestAuth{
		Users: []model.Secret{digestLine("ann", "rope", false), digestLine("bob", "sail", false)},
	}})
	for name, c := range cases {
		r := request("/", "Authorization: "+c.client.answer(challengeOf(t, f), c.method, "/", 1, c.change))
		w, got := exchange(f, r)
		if got != nil || w.Code != 401 || strings.Contains(w.Header().Get("WWW-Authenticate"), "stale") {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
	}
	long := "Digest " + strings.Repeat("a", 5000)
	for _, bad := range []string{"", "Digest", "Basic YW15", `Digest a="`, `Digest a=b, a=c`, long} {
		if w, got := exchange(f, request("/", "Authorization: "+bad)); got != nil || w.Code != 401 {
			t.Errorf("%.20q: %d", bad, w.Code)
		}
	}
}

// A proof is good once, and not for ever (RFC 7616 §5.5, §5.12). Who knows the password is told to try again.
func TestDigestAuthReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := build(t, NewSet(Options{}), model.Middleware{DigestAuth: &model.DigestAuth{
			Users: []model.Secret{digestLine("ann", "rope", false)},
		}})
		client := digestClient{"ann", "rope", false}
		challenge := challengeOf(t, f)
		send := func(count int) (int, bool) {
			w, _ := exchange(f, request("/", "Authorization: "+client.answer(challenge, "GET", "/", count, nil)))
			return w.Code, strings.HasSuffix(w.Header().Get("WWW-Authenticate"), ", stale=true")
		}
		if code, _ := send(2); code != 200 {
			t.Fatalf("the first gets %d", code)
		}
		for _, count := range []int{2, 1} {
			if code, stale := send(count); code != 401 || !stale {
				t.Errorf("%d again gets %d", count, code)
			}
		}
		ours := challenge
		challenge = `Digest nonce="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"` // of the length of ours
		if code, _ := send(1); code != 401 {
			t.Errorf("a nonce of its own gets %d", code)
		}
		challenge = ours
		wait(nonceLife + 1)
		if code, stale := send(3); code != 401 || !stale {
			t.Errorf("much later, it gets %d", code)
		}
	})
}

func TestParseDigest(t *testing.T) {
	got, ok := parseDigest(`username="a \"b\" \\c", Realm = "x,y" ,nc=00000001,, qop=auth`)
	want := map[string]string{"username": `a "b" \c`, "realm": "x,y", "nc": "00000001", "qop": "auth"}
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParseDigest(f *testing.F) {
	f.Add(`username="a \"b", realm=x, nc=00000001`)
	f.Fuzz(func(t *testing.T, text string) {
		if p, ok := parseDigest(text); ok {
			for name, value := range p {
				if name != strings.ToLower(name) || len(value) > len(text) {
					t.Errorf("%q: %q is %q", text, name, value)
				}
			}
		}
	})
}

func TestBuildSaysWhatIsWrongWithDigests(t *testing.T) {
	with := func(lines ...string) model.Middleware {
		d := &model.DigestAuth{}
		for _, line := range lines {
			d.Users = append(d.Users, model.NewSecret(line))
		}
		return model.Middleware{DigestAuth: d}
	}
	md5, sha := strings.Repeat("a", 32), strings.Repeat("a", 64)
	checkBad(t, map[string]badSpec{
		"nobody":      {with(), "digestAuth.users: is empty"},
		"line":        {with(leak), "digestAuth.users[0]: is not name:realm:hash"},
		"hash":        {with("a:b:" + leak), "digestAuth.users[0]: has no MD5"},
		"other realm": {with("a:b:"+md5, "a:c:"+md5), "digestAuth.users[1]: has another realm"},
		"other hash":  {with("a:b:"+md5, "c:b:"+sha), "digestAuth.users[1]: has another kind"},
		"realm":       {with(`a:"b:` + md5), "digestAuth.realm: has quotes"},
	})
}
