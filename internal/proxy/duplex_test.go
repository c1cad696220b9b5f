package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

// eachProtocol runs a test with a service that speaks HTTP/1.1 or HTTP/2, and a client that speaks either.
func eachProtocol(t *testing.T, service http.HandlerFunc, test func(t *testing.T, b *bench)) {
	t.Helper()
	for _, front := range []model.Protocol{model.HTTP, model.H2C} {
		for _, back := range []model.Protocol{model.HTTP, model.H2C} {
			t.Run(fmt.Sprintf("%s to %s", front, back), func(t *testing.T) {
				server := httptest.NewUnstartedServer(service)
				server.Config.Protocols = only(back)
				server.Start()
				t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
				s := to(strings.TrimPrefix(server.URL, "http://"))
				s.Services[0].Protocol = back
				b := start(t, s)
				client := &http.Transport{Protocols: only(front)}
				t.Cleanup(client.CloseIdleConnections)
				b.http.Transport = client
				test(t, b)
			})
		}
	}
}

// only is one protocol, in plain text.
func only(protocol model.Protocol) *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(protocol == model.HTTP)
	p.SetUnencryptedHTTP2(protocol == model.H2C)
	return p
}

// A service may end a stream while the client still has something to send: the client learns it at once.
func TestServiceEndsBeforeTheClient(t *testing.T) {
	eachProtocol(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.ReadFull(r.Body, make([]byte, len("begun")))
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = io.WriteString(w, "enough")
		w.Header().Set("Grpc-Status", "8")
	}, func(t *testing.T, b *bench) {
		body, client := io.Pipe()
		defer client.Close()
		go func() { _, _ = io.WriteString(client, "begun") }()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url, body)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := b.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil || string(text) != "enough" || answer.Trailer.Get("Grpc-Status") != "8" {
			t.Errorf("%q %v %v", text, answer.Trailer, err)
		}
	})
}

// The head of an answer does not wait for its body: there may be none for a long time, as with server-sent events.
func TestHeadDoesNotWaitForTheBody(t *testing.T) {
	next := make(chan struct{})
	eachProtocol(t, func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-next
	}, func(t *testing.T, b *bench) {
		answer, err := b.http.Get(b.url)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		next <- struct{}{}
		if text, err := io.ReadAll(answer.Body); err != nil || len(text) != 0 {
			t.Errorf("%q %v", text, err)
		}
	})
}
