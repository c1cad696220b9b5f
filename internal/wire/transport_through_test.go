package wire

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
)

// TestThrough puts both halves of the engine between a client and a service of net/http: bodies of all kinds both ways,
// answers that come early, and answers that nobody reads.
func TestThrough(t *testing.T) {
	s := standard(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/early":
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		case "/echo":
			body, err := io.ReadAll(r.Body)
			if err == nil {
				_, _ = w.Write(body)
			}
		case "/length":
			body, err := io.ReadAll(r.Body)
			if err == nil {
				w.Header().Set("Content-Length", fmt.Sprint(len(body)))
				_, _ = w.Write(body)
			}
		}
	})
	rt := newTestTransport(t, TransportOptions{})
	address := proxying(t, rt, s.Listener.Addr().String())
	client := &http.Transport{DisableCompression: true}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 15 {
				path := []string{"echo", "length", "early"}[(worker+i)%3]
				body := bytes.Repeat([]byte{byte('a' + worker)}, []int{0, 1, 5000, 20_000, 300_000}[i%5])
				var from io.Reader = bytes.NewReader(body)
				if i%2 == 0 {
					from = unsized{from}
				}
				r, err := http.NewRequestWithContext(t.Context(), "PUT", "http://"+address+"/"+path, from)
				if err != nil {
					t.Error(err)
					return
				}
				o := send(client, r)
				switch {
				case path == "early" && !o.Refused && o.Status != http.StatusRequestEntityTooLarge,
					path != "early" && (o.Status != 200 || o.Body != string(body)):
					t.Errorf("%s, %d bytes: %d, %d bytes, refused %v, broken %v", path, len(body), o.Status, len(o.Body),
						o.Refused, o.Broken)
				}
			}
		})
	}
	all.Wait()
}

// proxying is a Server that sends what it gets to a service. What it has handed out is spoiled at once.
func proxying(t *testing.T, rt http.RoundTripper, to string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Poison: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		out := in.WithContext(in.Context())
		out.URL = &url.URL{Scheme: "http", Host: to, Path: in.URL.Path}
		out.Header = http.Header{"User-Agent": nil}
		answer, err := rt.RoundTrip(out)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer func() { _ = answer.Body.Close() }()
		maps.Copy(w.Header(), answer.Header)
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body)
	})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() { _ = s.Close(); serving.Wait() })
	return l.Addr().String()
}
