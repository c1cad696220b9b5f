package cache

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slow is a service whose answers come after a second.
type slow struct {
	requests atomic.Int32
	fields   string // of the answers
}

func (s *slow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := s.requests.Add(1)
	select {
	case <-time.After(time.Second):
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
	if name, value, ok := strings.Cut(s.fields, ": "); ok {
		w.Header().Set(name, value)
	}
	_, _ = fmt.Fprint(w, n)
}

// all sends as many requests at once, and returns how long it took, and the bodies in order of their sending.
func all(h http.Handler, requests ...*http.Request) (took time.Duration, answers []*httptest.ResponseRecorder) {
	began := time.Now()
	done := make(chan struct{})
	for _, r := range requests {
		w := httptest.NewRecorder()
		answers = append(answers, w)
		go func() {
			defer func() { _ = recover(); done <- struct{}{} }()
			h.ServeHTTP(w, r)
		}()
		synctest.Wait()
	}
	for range requests {
		<-done
	}
	return time.Since(began), answers
}

func gets(n int) (list []*http.Request) {
	for range n {
		list = append(list, toRequest("GET /"))
	}
	return list
}

func wrap(t *testing.T, next http.Handler) http.Handler {
	s := newService(t)
	s.cached(Options{})
	return s.store.Handler(Options{MaxObject: 1 << 16, SetReason: func(http.ResponseWriter, string) {}}, next)
}

func TestConcurrentMissesAreOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{fields: "Cache-Control: max-age=60"}
		took, answers := all(wrap(t, s), gets(100)...)
		if s.requests.Load() != 1 || took != time.Second {
			t.Errorf("%d requests in %v", s.requests.Load(), took)
		}
		if got := answers[99].Header().Get("Cache-Status"); got != "fairlead; fwd=uri-miss; collapsed; ttl=59" {
			t.Error(got)
		}
	})
}

// Where answers are not for all, nobody waits longer than until that is known; and the next time, nobody does.
func TestNobodyWaitsForWhatIsPrivate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{fields: "Cache-Control: private"}
		h := wrap(t, s)
		took, answers := all(h, gets(20)...)
		if s.requests.Load() != 20 || took != 2*time.Second {
			t.Errorf("%d requests in %v", s.requests.Load(), took)
		}
		seen := map[string]bool{}
		for _, w := range answers {
			seen[w.Body.String()] = true
		}
		if len(seen) != 20 {
			t.Errorf("%d different answers", len(seen))
		}
		if took, _ := all(h, gets(20)...); took != time.Second {
			t.Errorf("the second time takes %v", took)
		}
	})
}

// Requests for other variants do not wait one for the other.
func TestVariantsDoNotQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.cached(Options{})
		h := s.store.Handler(Options{MaxObject: 99, SetReason: func(http.ResponseWriter, string) {}},
			http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(time.Second)
				w.Header().Set("Cache-Control", "max-age=60")
				w.Header().Set("Vary", "Accept")
				_, _ = fmt.Fprint(w, r.Header.Get("Accept"))
			}))
		var requests []*http.Request
		for i := range 10 {
			requests = append(requests, toRequest(fmt.Sprintf("GET /\nAccept: %d", i)))
		}
		took, answers := all(h, requests...)
		for i, w := range answers {
			if w.Body.String() != fmt.Sprint(i) {
				t.Errorf("request %d gets %q", i, w.Body)
			}
		}
		if took != 2*time.Second {
			t.Errorf("it takes %v", took)
		}
	})
}

// Who waits is served when the one that he waits for leaves.
func TestTheFirstLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{fields: "Cache-Control: max-age=60"}
		ctx, cancel := context.WithCancel(t.Context())
		list := gets(5)
		list[0] = list[0].WithContext(ctx)
		time.AfterFunc(time.Second/2, cancel)
		_, answers := all(wrap(t, s), list...)
		if s.requests.Load() != 2 || answers[4].Body.String() != "2" {
			t.Errorf("%d requests, %q", s.requests.Load(), answers[4].Body)
		}
	})
}

// An answer that was on its way when its address was changed is not kept (RFC 9111 §4.4).
func TestChangedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{fields: "Cache-Control: max-age=60"}
		quick := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				s.ServeHTTP(w, r)
			}
		})
		h := wrap(t, quick)
		done := make(chan struct{})
		go func() { h.ServeHTTP(httptest.NewRecorder(), toRequest("GET /")); close(done) }()
		time.Sleep(time.Second / 2)
		h.ServeHTTP(httptest.NewRecorder(), toRequest("POST /"))
		<-done
		h.ServeHTTP(httptest.NewRecorder(), toRequest("GET /"))
		if n := s.requests.Load(); n != 2 {
			t.Errorf("what was changed meanwhile is kept: %d requests", n)
		}
	})
}

// A service that does not say how long its answer is, and pauses, is not waited for.
func TestStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, more := 0, make(chan struct{})
		h := wrap(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			n++
			w.Header().Set("Cache-Control", "max-age=60")
			_, _ = w.Write([]byte("a"))
			_ = http.NewResponseController(w).Flush()
			<-more
			_, _ = w.Write([]byte("b"))
		}))
		w := httptest.NewRecorder()
		go h.ServeHTTP(w, toRequest("GET /"))
		synctest.Wait()
		if !w.Flushed || w.Body.String() != "a" {
			t.Errorf("got %q", w.Body)
		}
		close(more)
		synctest.Wait()
		w = httptest.NewRecorder()
		if h.ServeHTTP(w, toRequest("GET /")); n != 1 || w.Body.String() != "ab" {
			t.Errorf("then %q from request %d", w.Body, n)
		}
	})
}

func TestTheStoreHasALimit(t *testing.T) {
	s := newService(t)
	h := s.cached(Options{})
	s.store.Resize(20_000)
	s.answer = "200\nCache-Control: max-age=60\nX-Body: " + strings.Repeat("a", 4000)
	get := func(target string) { h.ServeHTTP(&sink{http.Header{}}, toRequest("GET "+target)) }
	for i := range 50 {
		get(fmt.Sprintf("/%d", i))
		get("/first")
		if s.store.used > 20_000 || len(s.store.entries) != s.store.recent.Len() {
			t.Fatalf("%d bytes, %d, %d", s.store.used, len(s.store.entries), s.store.recent.Len())
		}
	}
	if s.n != 51 {
		t.Errorf("what is used all the time is forgotten: %d requests", s.n)
	}
	s.answer += "\nVary: User-Agent"
	for i := range 2 * maxVariants {
		get(fmt.Sprintf("/v\nUser-Agent: %d", i))
	}
	s.store.Resize(1 << 30)
	for i := range 2 * maxVariants {
		get(fmt.Sprintf("/v\nUser-Agent: %d", i))
	}
	if n := len(s.store.entries["a.example/v"]); n != maxVariants {
		t.Errorf("%d variants of one address", n)
	}
	if s.store.Resize(0); s.store.used != 0 || len(s.store.entries) != 0 {
		t.Errorf("%d bytes are left", s.store.used)
	}
	if len(s.store.filling) != 0 || len(s.store.flights) != 0 {
		t.Error("something is still on its way")
	}
}

func TestPurge(t *testing.T) {
	s := newService(t)
	h := s.cached(Options{Purge: [][sha256.Size]byte{sha256.Sum256([]byte("key"))}})
	s.answer = "200\nCache-Control: max-age=60"
	purge := func(target, key string) string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, toRequest("PURGE "+target+"\nAuthorization: Bearer "+key))
		return fmt.Sprint(w.Code, " ", w.Body)
	}
	for _, target := range []string{"/a", "/b/1", "/b/2", "/c"} {
		h.ServeHTTP(&sink{http.Header{}}, toRequest("GET "+target))
	}
	for _, c := range []struct{ target, key, want string }{
		{"/a", "wrong", "401 Unauthorized\n"},
		{"/a", "", "401 Unauthorized\n"},
		{"/a", "key", "200 1 purged\n"},
		{"/a", "key", "200 0 purged\n"},
		{"/b/*", "key", "200 2 purged\n"},
		{"http://b.example/c", "key", "200 0 purged\n"},
	} {
		if got := purge(c.target, c.key); got != c.want {
			t.Errorf("PURGE %s gets %q, want %q", c.target, got, c.want)
		}
	}
	if s.n != 4 {
		t.Error("the service is asked to purge")
	}
	h = s.cached(Options{}) // nobody may: it is a method as others
	if h.ServeHTTP(httptest.NewRecorder(), toRequest("PURGE /c")); s.n != 5 {
		t.Error("PURGE is answered without a key")
	}
}
