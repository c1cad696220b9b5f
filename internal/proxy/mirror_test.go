package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// witness is a service that tells what it was sent.
func witness(t *testing.T) (string, chan string) {
	t.Helper()
	seen := make(chan string, 1000)
	return serve(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen <- strings.Join([]string{r.Method, r.Host, r.URL.RequestURI(), r.Header.Get("X-Forwarded-For"),
			r.Header.Get("X-Own"), string(body)}, " ")
	}), seen
}

func TestMirror(t *testing.T) {
	all, allSeen := witness(t)
	some, someSeen := witness(t)
	shop := choice("shop", model.Mirror, "main", "all", "some", "dead")
	shop.Backends[1].Weight, shop.Backends[2].Weight, shop.Backends[3].Weight = 100, 10, 100
	shop.Mirrored = &model.Mirrored{MaxBodyBytes: 10}
	b := start(t, site(shop, servers("main", says(t, "main")), servers("all", all), servers("some", some),
		servers("dead", "127.0.0.1:1")))
	for i := range 100 {
		status, _, body := b.do(t, http.MethodPost, "/a?b=c", strings.NewReader("hello"),
			"Host", "shop.example", "X-Own", "me")
		if status != 200 || body != "main POST /a hello" {
			t.Fatalf("%d: %d %q", i, status, body)
		}
	}
	for range 100 {
		if got := <-allSeen; got != "POST shop.example /a?b=c 127.0.0.1 me hello" {
			t.Fatalf("the copy is %q", got)
		}
	}
	for range 10 {
		<-someSeen
	}
	// A body that is too large: no copy. It was not begun before the one that follows.
	_, _, body := b.do(t, http.MethodPut, "/large", strings.NewReader("hello, world"))
	if body != "main PUT /large hello, world" {
		t.Errorf("%q", body)
	}
	b.get(t, "/small")
	if got := <-allSeen; got != "GET "+strings.TrimPrefix(b.url, "http://")+" /small 127.0.0.1  " {
		t.Errorf("the copy is %q", got)
	}
	bare := *shop
	bare.Mirrored = &model.Mirrored{NoBody: true}
	b.Apply(site(&bare, servers("main", says(t, "main")), servers("all", all), servers("some", some),
		servers("dead", "127.0.0.1:1")), true)
	b.do(t, http.MethodPut, "/bare", strings.NewReader("hello, world"))
	if got := <-allSeen; got != "PUT "+strings.TrimPrefix(b.url, "http://")+" /bare 127.0.0.1  " {
		t.Errorf("the copy is %q", got)
	}
	if n := len(someSeen); n > 1 {
		t.Errorf("%d copies too many", n)
	}
}

// A service that gets copies and never answers holds nobody up: not the clients, not more than the room that copies
// have, not the end.
func TestMirrorThatHangs(t *testing.T) {
	gate := make(chan struct{})
	stuck := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-gate:
		case <-r.Context().Done():
		}
	})
	defer close(gate)
	shop := choice("shop", model.Mirror, "main", "stuck")
	shop.Backends[1].Weight = 100
	b := start(t, site(shop, servers("main", says(t, "main")), servers("stuck", stuck)))
	for range maxCopies + 10 {
		if status, _, body := b.get(t, "/"); status != 200 || body != "main GET / " {
			t.Fatalf("%d %q", status, body)
		}
	}
	if n := len(b.copies.room); n > maxCopies {
		t.Errorf("%d copies are under way", n)
	}
}

// A copy is what the request was before the service's own middlewares, and the answer does not wait for it.
func TestMirrorOfStream(t *testing.T) {
	other, seen := witness(t)
	shop := choice("shop", model.Mirror, "main", "other")
	shop.Backends[1].Weight = 100
	shop.Mirrored = &model.Mirrored{MaxBodyBytes: 100}
	echo := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		part := make([]byte, 10)
		n, _ := r.Body.Read(part)
		_, _ = w.Write(part[:n])
		_ = http.NewResponseController(w).Flush()
		_, _ = io.Copy(w, r.Body)
	})
	b := start(t, site(shop, servers("main", echo), servers("other", other)))
	in, out := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url, in)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = out.Write([]byte("one ")) }()
	answer, err := b.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	part := make([]byte, 4)
	if _, err := io.ReadFull(answer.Body, part); err != nil || string(part) != "one " {
		t.Fatalf("%q %v", part, err)
	}
	_, _ = out.Write([]byte("two"))
	_ = out.Close()
	if rest, err := io.ReadAll(answer.Body); err != nil || string(rest) != "two" {
		t.Fatalf("%q %v", rest, err)
	}
	select {
	case got := <-seen:
		if !strings.HasSuffix(got, " one two") {
			t.Errorf("the copy is %q", got)
		}
	case <-time.After(10 * time.Second):
		t.Error("there is no copy")
	}
}
