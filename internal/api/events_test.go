package api

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/access"
	"github.com/fairlead/fairlead/internal/model"
)

// written is an answer that can be read while it is written.
type written struct {
	*httptest.ResponseRecorder
	mu sync.Mutex
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ResponseRecorder.Write(p)
}

func (w *written) said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Body.String()
}

// A stream says what is served when it begins, each newer version once that is served, and that it lives; and ends at
// once when its key does.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.set(files())
		key := b.key("api:read")
		r := httptest.NewRequest("GET", "/api/v1/events", nil)
		r.Header.Set("Authorization", "Bearer "+key)
		w := &written{ResponseRecorder: httptest.NewRecorder()}
		ended := make(chan struct{})
		go func() { b.ServeHTTP(w, r); close(ended) }()
		synctest.Wait()
		want := ": hello\n\n" + "event: change\nid: 1\ndata: {\"version\":1}\n\n"
		expect(t, w, want)

		b.options.Catalog.Set(paris())
		time.Sleep(time.Second)
		expect(t, w, want) // known, and not served yet
		b.options.Proxy.Apply(b.options.Catalog.Current(), true)
		time.Sleep(time.Second)
		want += "event: change\nid: 2\ndata: {\"version\":2}\n\n"
		expect(t, w, want)

		time.Sleep(heartbeatInterval)
		want += ": alive\n\n"
		expect(t, w, want)
		id, _ := access.ID(key)
		if err := b.options.Keys.Revoke(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		select {
		case <-ended:
		default:
			t.Error("the stream outlives its key")
		}
	})
}

func expect(t *testing.T, w *written, want string) {
	t.Helper()
	if got := w.said(); got != want {
		t.Fatalf("the stream says\n%s\nnot\n%s", got, want)
	}
}

func TestTooManyStreams(t *testing.T) {
	b := newBench(t)
	s := &server{Options: b.options, streams: make(chan struct{})}
	r := httptest.NewRequest("GET", "/api/v1/events", nil)
	if err := s.events(httptest.NewRecorder(), r); err == nil || !strings.Contains(err.Error(), "streams are open") {
		t.Error(err)
	}
}

// A client sees each change, and connects again when the stream is lost.
func TestWatch(t *testing.T) {
	b := newBench(t)
	b.set(files())
	s := httptest.NewServer(b)
	defer s.Close()
	key := b.key("api:read")
	c := NewClient(ClientOptions{URL: s.URL, Token: model.NewSecret(key)})
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	step := 0
	for change, err := range c.Watch(ctx) {
		switch step++; step {
		case 1:
			if err != nil || change.Version != 1 {
				t.Fatalf("first: %+v %v", change, err)
			}
			b.set(paris())
		case 2:
			if err != nil || change.Version != 2 {
				t.Fatalf("after a change: %+v %v", change, err)
			}
			s.CloseClientConnections()
		case 3:
			if err == nil || !strings.Contains(err.Error(), "is lost") {
				t.Fatalf("after a loss: %+v %v", change, err)
			}
		case 4:
			if err != nil || change.Version != 2 {
				t.Fatalf("connected again: %+v %v", change, err)
			}
			id, _ := access.ID(key)
			if err := b.options.Keys.Revoke(ctx, id); err != nil {
				t.Fatal(err)
			}
		case 5:
			if err == nil {
				t.Fatalf("after the key's end: %+v", change)
			}
		default:
			if told, ok := errors.AsType[*Error](err); !ok || told.Status != 401 || step > 6 {
				t.Fatalf("with a revoked key: %+v %v", change, err)
			}
		}
	}
	if step != 6 {
		t.Errorf("%d steps", step)
	}
}
