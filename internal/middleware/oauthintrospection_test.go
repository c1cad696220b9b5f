package middleware

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/model"
)

// introspector is a server that knows what to answer about each token; "" is 500.
type introspector struct {
	*httptest.Server
	asked atomic.Int32
	last  atomic.Pointer[http.Request]
}

func newIntrospector(t testing.TB, answers map[string]string) *introspector {
	t.Helper()
	i := new(introspector)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.asked.Add(1)
		_ = r.ParseForm()
		i.last.Store(r)
		answer, ok := answers[r.PostForm.Get("token")]
		switch {
		case !ok:
			answer = `{"active":false}`
		case answer == "":
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(i.Close)
	return i
}

func TestOAuthIntrospection(t *testing.T) {
	now := time.Now().Unix()
	server := newIntrospector(t, map[string]string{
		"good":     fmt.Sprintf(`{"active":true,"sub":"amy","exp":%d,"aud":"shop","iss":"i","scope":"read write"}`, now+60),
		"minimal":  `{"active":true,"aud":["shop"],"iss":"i"}`,
		"expired":  fmt.Sprintf(`{"active":true,"aud":"shop","iss":"i","exp":%d}`, now-60),
		"early":    fmt.Sprintf(`{"active":true,"aud":"shop","iss":"i","nbf":%d}`, now+90),
		"audience": `{"active":true,"aud":"admin","iss":"i"}`,
		"issuer":   `{"active":true,"aud":"shop","iss":"j"}`,
		"text":     `{"active":"true","aud":"shop","iss":"i"}`,
		"absent":   `{"aud":"shop","iss":"i"}`,
		"twice":    `{"active":false,"active":true,"aud":"shop","iss":"i"}`,
		"case":     `{"Active":true,"aud":"shop","iss":"i"}`,
		"page":     `<html>`,
		"failing":  "",
		"huge":     `{"active":true,"aud":"shop","iss":"i","x":"` + strings.Repeat("x", maxIntrospection) + `"}`,
	})
	spec := model.OAuthIntrospection{
		Token: bearer, URL: server.URL, Client: model.OAuthClient{ID: "a b", Secret: model.NewSecret("s:t")},
		Headers: map[string]model.Secret{"X-Tenant": model.NewSecret("t")}, Hint: "access_token",
		Issuer: "i", Audience: []string{"shop"}, Strip: true,
		ClaimUse: model.ClaimUse{Forward: map[string]string{"X-User": "sub"}},
	}
	s := NewSet(Options{})
	f := build(t, s, model.Middleware{OAuthIntrospection: &spec})
	for token, want := range map[string]int{
		"good": 200, "minimal": 200, "expired": 401, "early": 401, "audience": 401, "issuer": 401, "text": 401, "absent": 401,
		"twice": 502, "case": 401, "page": 502, "failing": 502, "huge": 502, "unknown": 401, "": 401,
		strings.Repeat("t", maxToken+1): 401,
	} {
		w, got := exchange(f, request("/", "Authorization: Bearer "+token, "X-User: root"))
		if w.Code != want || (got != nil) != (want == 200) {
			t.Errorf("%.20q: %d, want %d", token, w.Code, want)
		}
	}
	_, got := exchange(f, request("/", "Authorization: Bearer good", "X-User: root"))
	if want := (http.Header{"X-User": {"amy"}}); got == nil || !cmp.Equal(got.Header, want) {
		t.Errorf("the service sees %v", got)
	}
	spec.Claims = model.Claims{Op: model.Is, Test: model.ClaimSplit, Claim: "scope", Values: []string{" ", "admin"}}
	if w, _ := exchange(build(t, s, model.Middleware{OAuthIntrospection: &spec}),
		request("/", "Authorization: Bearer good")); w.Code != http.StatusForbidden {
		t.Errorf("without the scope: %d", w.Code)
	}

	_, _ = exchange(f, request("/", "Authorization: Bearer last"))
	asked := server.last.Load()
	id, secret, _ := asked.BasicAuth()
	if id != "a+b" || secret != "s%3At" || asked.Header.Get("X-Tenant") != "t" || asked.Method != http.MethodPost {
		t.Errorf("asked as %q %q, with %v", id, secret, asked.Header)
	}
	if got := asked.PostForm.Encode(); got != "token=last&token_type_hint=access_token" {
		t.Errorf("asked for %s", got)
	}
}

// Answers are kept over reloads, whether good or not; failures are not.
func TestOAuthIntrospectionKeepsAnswers(t *testing.T) {
	server := newIntrospector(t, map[string]string{
		"good": `{"active":true}`, "failing": "", "short": fmt.Sprintf(`{"active":true,"exp":%d}`, time.Now().Unix()-1),
	})
	spec := model.OAuthIntrospection{Token: bearer, URL: server.URL, Keep: time.Hour}
	s := NewSet(Options{})
	ask := func(token string, want int32) {
		t.Helper()
		before := server.asked.Load()
		for range 3 {
			exchange(build(t, s, model.Middleware{OAuthIntrospection: &spec}), request("/", "Authorization: Bearer "+token))
		}
		if n := server.asked.Load() - before; n != want {
			t.Errorf("%s: asked %d times, want %d", token, n, want)
		}
	}
	ask("good", 1)
	ask("good", 0)
	ask("bad", 1)
	ask("failing", 3)
	ask("short", 3) // its time is over, but for what clocks may differ
	spec.Client.ID = "other"
	ask("good", 1)
	spec.Keep = -1
	ask("new", 3)
}

func TestOAuthIntrospectionForgetsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIntrospected(nil)
		i := &introspection{keep: 10 * time.Second, introspected: s}
		i.remember([32]byte{1}, claims{"active": true})
		for _, step := range []struct {
			wait time.Duration
			want bool
		}{{0, true}, {10*time.Second - 1, true}, {1, false}} {
			time.Sleep(step.wait)
			if _, known := s.recall([32]byte{1}); known != step.want {
				t.Errorf("after %s: known %t", step.wait, known)
			}
		}
		for n := range maxIntrospected + 10 {
			i.remember([32]byte{2, byte(n), byte(n >> 8)}, nil)
		}
		if n := len(s.known.entries); n != maxIntrospected {
			t.Errorf("%d answers are kept", n)
		}
	})
}

func TestOAuthIntrospectionAsksOnceForAll(t *testing.T) {
	const clients = 20
	let, began := make(chan struct{}), make(chan struct{}, clients)
	asked := new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		began <- struct{}{}
		<-let
		_, _ = w.Write([]byte(`{"active":true}`))
	}))
	defer server.Close()
	spec := model.OAuthIntrospection{Token: bearer, URL: server.URL}
	f := build(t, NewSet(Options{}), model.Middleware{OAuthIntrospection: &spec})
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			if w, _ := exchange(f, request("/", "Authorization: Bearer one")); w.Code != http.StatusOK {
				t.Errorf("status %d", w.Code)
			}
		})
	}
	<-began
	close(let)
	wg.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}
