package middleware

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// users returns lines for the users named, all with the password "password".
func users(names ...string) []model.Secret {
	const hash = "$2a$04$dBDa/FpnSXOQQyQt.mlBFeKfG.lpXgqJMu0fpZkzj6BkZXoSuUlu."
	var lines []model.Secret
	for _, n := range names {
		lines = append(lines, model.NewSecret(n+":"+hash))
	}
	return lines
}

func withPassword(user, password string, fields ...string) *http.Request {
	r := request("/", fields...)
	r.SetBasicAuth(user, password)
	return r
}

func TestBasicAuth(t *testing.T) {
	lines := append(users("amy", "twice"),
		model.NewSecret("sha:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="),
		model.NewSecret("apr:$apr1$salt1234$k3J5yKYW6TlGmTytnkXbQ0"),
		model.NewSecret("twice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="),
	)
	spec := model.BasicAuth{Users: lines, HeaderField: "x-user", RemoveHeader: true}
	cases := map[string]struct {
		r    *http.Request
		want string // the user that the service sees; "": 401
	}{
		"bcrypt":             {withPassword("amy", "password"), "amy"},
		"sha":                {withPassword("sha", "password"), "sha"},
		"apr1":               {withPassword("apr", "password"), "apr"},
		"last line counts":   {withPassword("twice", "secret"), "twice"},
		"first line is gone": {withPassword("twice", "password"), ""},
		"wrong password":     {withPassword("amy", "Password"), ""},
		"empty password":     {withPassword("apr", ""), ""},
		"unknown user":       {withPassword("eve", "password"), ""},
		"no user":            {withPassword("", "password"), ""},
		"no credential":      {request("/"), ""},
		"broken credential":  {request("/", "Authorization: Basic %%%"), ""},
		"hash as password":   {withPassword("sha", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="), ""},
		"huge password":      {withPassword("apr", strings.Repeat("p", 1<<20)), ""},
		"spoofed name":       {withPassword("amy", "password", "X-User: admin", "X_User: admin"), "amy"},
		"spoofed, refused":   {request("/", "X-User: amy"), ""},
	}
	s := NewSet(Options{})
	for range 2 { // the second time from memory
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				w, got := exchange(build(t, s, model.Middleware{BasicAuth: &spec}), c.r.Clone(t.Context()))
				if c.want == "" {
					checkRefused(t, w, got, `Basic realm="fairlead"`)
					return
				}
				if got == nil {
					t.Fatalf("refused with %d", w.Code)
				}
				if len(got.Header) != 1 || got.Header.Get("X-User") != c.want {
					t.Errorf("service saw %v", got.Header)
				}
			})
		}
	}
}

func TestBasicAuthChallengeQuotesRealm(t *testing.T) {
	spec := model.BasicAuth{Users: users("amy"), Realm: `a "quoted\" realm`}
	w, _ := exchange(build(t, NewSet(Options{}), model.Middleware{BasicAuth: &spec}), request("/"))
	if got := w.Header().Get("WWW-Authenticate"); got != `Basic realm="a \"quoted\\\" realm"` {
		t.Errorf("challenge %s", got)
	}
}

// counting is a password whose verifications are counted, and take until release is closed.
type counting struct {
	mu      sync.Mutex
	n       int
	release chan struct{}
}

func (c *counting) MatchesPassword(pw string) bool {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	<-c.release
	return pw == "right"
}

func TestPasswordsAreVerifiedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPasswords()
		p.slots = make(chan struct{}, 1)
		c := &counting{release: make(chan struct{})}
		a := account{hash: "h1", encoded: c}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if !p.match(t.Context(), a, "right") {
					t.Error("refused")
				}
			})
		}
		synctest.Wait()
		close(c.release)
		wg.Wait()
		if c.n != 1 {
			t.Errorf("verified %d times, want 1", c.n)
		}
		for range 3 {
			if p.match(t.Context(), a, "wrong") {
				t.Error("a wrong password was admitted")
			}
		}
		if c.n != 4 {
			t.Errorf("wrong passwords: verified %d times, want 3", c.n-1)
		}
		a.hash = "h2" // the password was changed
		if !p.match(t.Context(), a, "right") || c.n != 5 {
			t.Errorf("another hash: verified %d times, want 1", c.n-4)
		}
	})
}

func TestPasswordsWaitNoLongerThanTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPasswords()
		p.slots = make(chan struct{}, 1)
		p.slots <- struct{}{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if p.match(ctx, account{encoded: &counting{}}, "right") {
			t.Error("admitted without verifying")
		}
	})
}

// An account that does not exist takes the work of the costliest one that does.
func TestUnknownUserCostsTheSame(t *testing.T) {
	accounts, err := parseAccounts(append(users("amy"), model.NewSecret("sha:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=")))
	if err != nil {
		t.Fatal(err)
	}
	if got := costliest(accounts); got.hash != accounts["amy"].hash {
		t.Errorf("strangers are compared with %q", got.hash)
	}
}

func TestBasicAuthRace(t *testing.T) {
	s := NewSet(Options{})
	spec := model.BasicAuth{Users: users("amy", "bob")}
	h := build(t, s, model.Middleware{BasicAuth: &spec})(http.NotFoundHandler())
	var wg sync.WaitGroup
	for _, user := range []string{"amy", "bob", "eve", "amy"} {
		wg.Go(func() {
			for range 20 {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, withPassword(user, "password"))
				if known := user != "eve"; known != (w.Code == http.StatusNotFound) {
					t.Errorf("%s: %d", user, w.Code)
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkBasicAuthStranger is the price of a wrong password.
func BenchmarkBasicAuthStranger(b *testing.B) {
	spec := model.BasicAuth{Users: users("amy")}
	h := build(b, NewSet(Options{}), model.Middleware{BasicAuth: &spec})(http.NotFoundHandler())
	r := withPassword("eve", "x")
	for b.Loop() {
		h.ServeHTTP(&discard{http.Header{}}, r)
	}
}
