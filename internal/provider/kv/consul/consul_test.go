package consul_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/provider/kv/consul"
)

// answer is what Consul says to one question; it closes the connection where there is none.
type answer struct {
	index int
	pairs map[string]string // nil: there are none, which Consul says as 404
}

// serve answers questions in turn, then holds them back, and returns what was asked.
func serve(t *testing.T, answers ...answer) (address string, asked chan *http.Request) {
	t.Helper()
	asked = make(chan *http.Request, 100)
	next := make(chan answer, len(answers))
	for _, a := range answers {
		next <- a
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r
		select {
		case a := <-next:
			if a.index == 0 {
				panic(http.ErrAbortHandler)
			}
			w.Header().Set("X-Consul-Index", fmt.Sprint(a.index))
			if a.pairs == nil {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			var items []string
			for key, text := range a.pairs {
				items = append(items, fmt.Sprintf(`{"Key": %q, "Value": %q}`, key, base64.StdEncoding.EncodeToString([]byte(text))))
			}
			_, _ = w.Write([]byte("[" + strings.Join(items, ",") + "]"))
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), asked
}

func config(addresses ...string) consul.Config {
	return consul.Config{
		Endpoints: addresses, Root: "traefik", Datacenter: "dc2", Username: "ann",
		Token:    func() (string, error) { return "secret", nil },
		Password: func() (string, error) { return "word", nil },
	}
}

var errEnough = errors.New("enough")

// follow returns the first states that the store tells of.
func follow(t *testing.T, s *consul.Store, states int) (told []map[string]string) {
	t.Helper()
	err := s.Follow(t.Context(), func(texts map[string]string) error {
		if told = append(told, texts); len(told) == states {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatalf("after %v: %v", told, err)
	}
	return told
}

func TestFollow(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, ignore) }) // after the server has gone
	address, asked := serve(t,
		answer{5, map[string]string{"traefik/a": "1", "traefik/": ""}},
		answer{5, map[string]string{"traefik/a": "1"}}, // the wait is over, nothing is new
		answer{7, nil},
		answer{3, nil}, // the server was put back to an earlier state
		answer{3, map[string]string{"traefik/b": "2"}},
	)
	told := follow(t, consul.New(config(address)), 3)
	want := []map[string]string{{"a": "1"}, {}, {"b": "2"}}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var indexes []string
	for len(asked) > 0 {
		r := <-asked
		name, word, _ := r.BasicAuth()
		want := url.Values{"dc": {"dc2"}, "recurse": {""}, "wait": {"30000ms"}}
		q := r.URL.Query()
		indexes = append(indexes, q.Get("index"))
		q.Del("index")
		if diff := cmp.Diff(want, q); diff != "" || r.URL.Path != "/v1/kv/traefik/" || name+word != "annword" ||
			r.Header.Get("X-Consul-Token") != "secret" {
			t.Errorf("asked %s as %s %s with %s\n%s", r.URL, name, word, r.Header.Get("X-Consul-Token"), diff)
		}
	}
	if diff := cmp.Diff([]string{"", "5", "5", "7", ""}, indexes); diff != "" {
		t.Errorf("indexes: -want +got:\n%s", diff)
	}
}

// One that cannot be asked is an error that says the same each time; the next run asks the other.
func TestSeveral(t *testing.T) {
	bad, _ := serve(t, answer{}, answer{})
	good, _ := serve(t, answer{5, map[string]string{"traefik/a": "1"}})
	s := consul.New(config(bad, good))
	err := s.Follow(t.Context(), func(map[string]string) error { return nil })
	if err == nil || err.Error() != "reading Consul: "+bad+": EOF" {
		t.Errorf("it fails with %v", err)
	}
	if told := follow(t, s, 1); told[0]["a"] != "1" {
		t.Errorf("the second endpoint says %v", told)
	}
}

func TestEnd(t *testing.T) {
	address, asked := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- consul.New(config(address)).Follow(ctx, func(map[string]string) error { return nil })
	}()
	<-asked
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}
