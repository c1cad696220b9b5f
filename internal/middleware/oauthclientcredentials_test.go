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

func TestOAuthClientCredentials(t *testing.T) {
	asked := new(atomic.Int32)
	var last atomic.Pointer[http.Request]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		last.Store(r)
		_, _ = fmt.Fprintf(w, `{"access_token":"t%d","token_type":"bearer","expires_in":3600}`, asked.Add(1))
	}))
	defer server.Close()
	spec := model.OAuthClientCredentials{
		URL: server.URL, Client: model.OAuthClient{ID: "shop", Secret: model.NewSecret("s")},
		Scopes: []string{"a", "b"}, Audience: "https://api.example",
	}
	s := NewSet(Options{})
	for range 3 { // each is a new generation
		f := build(t, s, model.Middleware{OAuthClientCredentials: &spec})
		_, got := exchange(f, request("/", "Authorization: Bearer of-the-client", "X-A: b"))
		if want := (http.Header{"Authorization": {"Bearer t1"}, "X-A": {"b"}}); got == nil || !cmp.Equal(got.Header, want) {
			t.Fatalf("the service sees %v", got)
		}
	}
	if got, want := last.Load().PostForm.Encode(),
		"audience=https%3A%2F%2Fapi.example&grant_type=client_credentials&scope=a+b"; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
	if id, secret, _ := last.Load().BasicAuth(); id != "shop" || secret != "s" {
		t.Errorf("asked as %q, %q", id, secret)
	}
	spec.Client.Secret, spec.Header = model.NewSecret("other"), "x-token"
	f := build(t, s, model.Middleware{OAuthClientCredentials: &spec})
	_, got := exchange(f, request("/", "X-Token: a", "X_token: b"))
	if want := (http.Header{"X-Token": {"Bearer t2"}}); got == nil || !cmp.Equal(got.Header, want) {
		t.Errorf("the service sees %v", got)
	}
}

// Whatever the server says that is no token: the client is told that a server is away, and the service sees nothing.
func TestOAuthClientCredentialsWithoutToken(t *testing.T) {
	for name, answer := range map[string]string{
		"none": `{}`, "page": `<html>`, "other type": `{"access_token":"t","token_type":"mac","expires_in":60}`,
		"no type": `{"access_token":"t"}`, "line feed": `{"access_token":"t\r\nX: y","token_type":"Bearer"}`,
		"twice": `{"access_token":"a","access_token":"b","token_type":"Bearer"}`,
		"huge":  `{"access_token":"` + strings.Repeat("a", maxTokenAnswer) + `","token_type":"Bearer"}`, "error": "",
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if answer == "" {
					w.WriteHeader(http.StatusBadRequest)
				}
				_, _ = w.Write([]byte(answer))
			}))
			defer server.Close()
			spec := model.OAuthClientCredentials{
				URL: server.URL, Client: model.OAuthClient{ID: "shop", Secret: model.NewSecret("s")},
			}
			w, got := exchange(build(t, NewSet(Options{}), model.Middleware{OAuthClientCredentials: &spec}), request("/"))
			if w.Code != http.StatusBadGateway || got != nil {
				t.Errorf("status %d", w.Code)
			}
		})
	}
}

// A token is fetched again before its end, by one for all, and when the service refuses it.
func TestServiceTokenIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		var fetches atomic.Int32
		token := &serviceToken{fetched: fetched[string]{floor: tokenFloor, fetch: func() (string, lifetime, error) {
			n := fetches.Add(1)
			time.Sleep(100 * time.Millisecond)
			if down.Load() {
				return "", lifetime{}, errUnreachable
			}
			return fmt.Sprint("t", n), tokenLife(100 * time.Second), nil
		}}}
		get := func() string {
			value, err := token.get(t.Context(), func(string) bool { return true })
			if err != nil {
				return "none"
			}
			return value
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if got := get(); got != "t1" {
					t.Errorf("at first: %s", got)
				}
			})
		}
		wg.Wait()
		for i, step := range []struct {
			wait  time.Duration
			down  bool
			spoil string
			want  string
		}{
			{wait: 74 * time.Second, want: "t1"}, {wait: 2 * time.Second, want: "t1"}, {wait: time.Second, want: "t2"},
			{wait: 76 * time.Second, down: true, want: "t2"}, // the server is away
			{wait: 10 * time.Second, down: true, want: "t2"}, {wait: 5 * time.Second, down: true, want: "none"},
			{down: false, want: "none"}, // within the floor
			{wait: time.Second, want: "t6"},
			{spoil: "t2", want: "t6"}, // an answer that is late
			{wait: time.Second, spoil: "t6", want: "t7"},
		} {
			time.Sleep(step.wait)
			down.Store(step.down)
			if step.spoil != "" {
				w := &refusalWriter{headWriter{ResponseWriter: httptest.NewRecorder()}, token, step.spoil}
				w.editor = w
				w.WriteHeader(http.StatusUnauthorized)
			}
			if got := get(); got != step.want {
				t.Errorf("step %d: %s, want %s", i, got, step.want)
			}
			synctest.Wait()
		}
	})
}
