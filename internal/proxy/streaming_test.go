package proxy

import (
	"bufio"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

// back is a way in which services speak.
type back struct {
	name     string
	protocol model.Protocol
	start    func(*httptest.Server)
}

// backs are all of them.
var backs = []back{
	{"h1", model.HTTP, (*httptest.Server).Start},
	{"h2c", model.H2C, func(s *httptest.Server) {
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
	}},
	{"https", model.HTTPS, func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() }},
}

// behind is a snapshot in which every request goes to a service that speaks so.
func behind(t *testing.T, b back, h http.HandlerFunc) *model.Snapshot {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	b.start(s)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	snapshot := to(strings.TrimPrefix(strings.TrimPrefix(s.URL, "https://"), "http://"))
	snapshot.Services[0].Protocol = b.protocol
	return snapshot
}

// trustTestServers makes httptest's certificate one that the system trusts, for this process.
func trustTestServers() (undo func()) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	dir, err := os.MkdirTemp("", "fairlead-proxy-")
	if err != nil {
		panic(err)
	}
	file := filepath.Join(dir, "roots.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		panic(err)
	}
	_ = os.Setenv("SSL_CERT_FILE", file)
	return func() { _ = os.RemoveAll(dir) }
}

// everyWay runs a test for each front and each back.
func everyWay(t *testing.T, service http.HandlerFunc, test func(*testing.T, *bench)) {
	for _, back := range backs {
		b := startSecure(t, behind(t, back, service))
		for _, front := range fronts {
			t.Run(front.name+" to "+back.name, func(t *testing.T) { test(t, b.from(t, front)) })
		}
	}
}

// Each event reaches the client before the service writes the next.
func TestEventsAreNotHeldBack(t *testing.T) {
	next := make(chan struct{})
	service := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for n := range 5 {
			_, _ = fmt.Fprintf(w, "data: %d\n\n", n)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-next:
			case <-r.Context().Done():
			}
		}
	}
	everyWay(t, service, func(t *testing.T, b *bench) {
		answer, err := b.http.Get(b.url)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		for n := range 5 {
			want := fmt.Sprintf("data: %d\n\n", n)
			got := make([]byte, len(want))
			if _, err := io.ReadFull(answer.Body, got); err != nil || string(got) != want {
				t.Fatalf("%q %v", got, err)
			}
			next <- struct{}{}
		}
		if rest, err := io.ReadAll(answer.Body); err != nil || len(rest) > 0 {
			t.Errorf("%q %v", rest, err)
		}
	})
}

// The head of an answer is there before its body is.
func TestHeadsAreNotHeldBack(t *testing.T) {
	next := make(chan struct{})
	service := func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-next
		_, _ = io.WriteString(w, "body")
	}
	everyWay(t, service, func(t *testing.T, b *bench) {
		answer, err := b.http.Get(b.url)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		next <- struct{}{}
		if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "body" {
			t.Errorf("%q %v", body, err)
		}
	})
}

// Both sides speak in turn, in one exchange; trailers end both.
func TestBothSidesStream(t *testing.T) {
	asked := make(chan string, 1)
	service := func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		w.Header().Set("Trailer", "X-Lines")
		_ = control.Flush()
		lines := bufio.NewScanner(r.Body)
		count := 0
		for ; lines.Scan(); count++ {
			_, _ = fmt.Fprintln(w, lines.Text())
			_ = control.Flush()
		}
		w.Header().Set("X-Lines", fmt.Sprint(count))
		asked <- r.Trailer.Get("X-Sum")
	}
	everyWay(t, service, func(t *testing.T, b *bench) {
		body, write := io.Pipe()
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url, body)
		r.Trailer = http.Header{"X-Sum": nil}
		answer, err := b.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		echo := bufio.NewReader(answer.Body)
		for n := range 5 {
			line := fmt.Sprintf("line %d\n", n)
			if _, err := io.WriteString(write, line); err != nil {
				t.Fatal(err)
			}
			if got, err := echo.ReadString('\n'); err != nil || got != line {
				t.Fatalf("%q %v", got, err)
			}
		}
		r.Trailer.Set("X-Sum", "42")
		_ = write.Close()
		if rest, err := io.ReadAll(echo); err != nil || len(rest) > 0 {
			t.Errorf("%q %v", rest, err)
		}
		if got := <-asked; got != "42" {
			t.Errorf("the request's trailer: %q", got)
		}
		if got := answer.Trailer.Get("X-Lines"); got != "5" {
			t.Errorf("the answer's trailer: %q", got)
		}
	})
}

// Early hints come while the service is still thinking, as often as it has some.
func TestEarlyHintsPass(t *testing.T) {
	next := make(chan struct{})
	service := func(w http.ResponseWriter, _ *http.Request) {
		for n := range 2 {
			w.Header().Set("Link", fmt.Sprintf("</%d.css>; rel=preload", n))
			w.WriteHeader(http.StatusEarlyHints)
			<-next
		}
		w.Header().Del("Link")
		_, _ = io.WriteString(w, "body")
	}
	everyWay(t, service, func(t *testing.T, b *bench) {
		var hints []string
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				hints = append(hints, fmt.Sprint(code, " ", h.Get("Link")))
				next <- struct{}{}
				return nil
			},
		})
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, b.url, nil)
		answer, err := b.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "body" || answer.Header.Get("Link") != "" {
			t.Errorf("%q %v %v", body, err, answer.Header)
		}
		if got := strings.Join(hints, ", "); got != "103 </0.css>; rel=preload, 103 </1.css>; rel=preload" {
			t.Errorf("hints %q", got)
		}
	})
}

// A client that leaves ends what the service does for it.
func TestLeavingEndsTheExchange(t *testing.T) {
	arrived, left := make(chan struct{}), make(chan struct{})
	service := func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		arrived <- struct{}{}
		<-r.Context().Done()
		left <- struct{}{}
	}
	everyWay(t, service, func(t *testing.T, b *bench) {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-arrived; cancel() }()
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, b.url, nil)
		if answer, err := b.http.Do(r); err == nil {
			_, err = io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if err == nil {
				t.Error("a whole answer")
			}
		}
		<-left
	})
}

// A client that waits to be asked for its body (Expect) is asked when the service wants it.
func TestExpectPasses(t *testing.T) {
	service := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refused" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = io.Copy(w, r.Body)
	}
	everyWay(t, service, func(t *testing.T, b *bench) {
		status, _, body := b.do(t, http.MethodPost, "/", strings.NewReader("body"), "Expect", "100-continue")
		if status != 200 || body != "body" {
			t.Errorf("%d %q", status, body)
		}
		status, _, _ = b.do(t, http.MethodPost, "/refused", strings.NewReader("body"), "Expect", "100-continue")
		if status != 403 {
			t.Errorf("refused: %d", status)
		}
	})
}
