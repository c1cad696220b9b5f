package proxy

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

// An answer is brought up to date when its client has long been served, and what is kept survives a reload.
func TestCacheRevalidatesWithoutTheClient(t *testing.T) {
	var requests atomic.Int32
	validated := make(chan http.Header)
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n := requests.Add(1)
		if r.Header.Get("If-None-Match") != "" {
			validated <- r.Header.Clone()
		}
		w.Header().Set("Etag", `"a"`)
		life := 0 // stale at once
		if n > 1 {
			life = 1000
		}
		w.Header().Set("Cache-Control", fmt.Sprintf("max-age=%d, stale-while-revalidate=1000", life))
		_, _ = fmt.Fprint(w, n)
	})
	spec := model.Middleware{Cache: &model.Cache{}}
	b := start(t, through(spec, addr))
	for range 2 {
		if _, h, body := b.get(t, "/", "X-Client", "a"); body != "1" {
			t.Fatalf("got %q, %v", body, h)
		}
	}
	if h := <-validated; h.Get("X-Client") != "a" || h.Get("X-Forwarded-For") != "127.0.0.1" {
		t.Errorf("the service sees %v", h)
	}
	again := through(spec, addr)
	again.Routes[0].Priority++ // a new action
	b.Apply(again, true)
	for body := ""; body != "2"; _, _, body = b.get(t, "/") { // the answer may still be on its way
	}
	if got, want := requests.Load(), int32(2); got != want {
		t.Errorf("%d requests, want %d", got, want)
	}
}
