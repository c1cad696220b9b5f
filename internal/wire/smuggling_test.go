package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/wire/wiretest"
)

// witness notes what the handler received, and what was refused and why.
type witness struct {
	mu       sync.Mutex
	requests []string // method, target and body
	sections []string
}

func (s *witness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	var refused *ProtocolError
	if errors.As(err, &refused) {
		s.sections = append(s.sections, refused.Section)
		w.WriteHeader(refused.Status)
		return
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s.requests = append(s.requests, fmt.Sprintf("%s %s %s", r.Method, r.RequestURI, body))
}

func (s *witness) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.sections = nil, nil
}

// Enabled, Handle, WithAttrs and WithGroup make it a slog.Handler that sees the server's reasons.
func (s *witness) Enabled(context.Context, slog.Level) bool { return true }

func (s *witness) Handle(_ context.Context, record slog.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == "section" {
			s.sections = append(s.sections, a.Value.String())
		}
		return true
	})
	return nil
}

func (s *witness) WithAttrs([]slog.Attr) slog.Handler { return s }

func (s *witness) WithGroup(string) slog.Handler { return s }

// What two readers might take for two different requests is refused, with the status and for the rule that the table
// says, and whatever follows on the connection is not read as a request.
func TestSmuggling(t *testing.T) {
	s := new(witness)
	address := serve(t, &Server{Handler: s, Log: slog.New(s), Poison: true, HeaderBytes: wiretest.HeaderBytes,
		Fields: wiretest.Fields})
	names := make(map[string]bool)
	for _, c := range wiretest.Cases() {
		if names[c.Name] {
			t.Errorf("two cases are called %q", c.Name)
		}
		names[c.Name] = true
		t.Run(c.Name, func(t *testing.T) {
			s.reset()
			got := talkAndEnd(t, address, c.Raw)
			s.mu.Lock()
			defer s.mu.Unlock()
			checkSmuggling(t, c, got, s)
		})
	}
	if len(names) < 500 {
		t.Errorf("%d cases, less than 500", len(names))
	}
}

func checkSmuggling(t *testing.T, c wiretest.Case, got string, s *witness) {
	t.Helper()
	status := 0
	if got != "" {
		if _, err := fmt.Sscanf(got, "HTTP/1.1 %d ", &status); err != nil {
			_, _ = fmt.Sscanf(got, "HTTP/1.0 %d ", &status)
		}
	}
	if status != c.Status {
		t.Errorf("status %d, want %d; sections %v; requests %q", status, c.Status, s.sections, s.requests)
	}
	for _, request := range s.requests {
		if strings.Contains(request, "/smuggled") && c.Status != http.StatusOK {
			t.Errorf("%q was served", request)
		}
	}
	switch {
	case c.Status == http.StatusOK:
		if len(s.requests) == 0 || !strings.HasSuffix(s.requests[0], " "+c.Body) {
			t.Errorf("received %q, want body %q", s.requests, c.Body)
		}
	case c.Status != 0:
		if len(s.sections) != 1 || s.sections[0] != c.Section {
			t.Errorf("refused for %v, want %s", s.sections, c.Section)
		}
		if strings.Count(got, "HTTP/1.1 ") != 1 || !strings.Contains(got, "Connection: close\r\n") {
			t.Errorf("the connection was used again: %q", got)
		}
	}
}

// talkAndEnd sends everything, ends our side, and returns everything that comes.
func talkAndEnd(t *testing.T, address, request string) string {
	t.Helper()
	conn := dial(t, address)
	if _, err := io.WriteString(conn, request); err == nil {
		_ = conn.CloseWrite()
	}
	got, err := io.ReadAll(conn)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Fatalf("after %q: %v", got, err)
	}
	_ = conn.Close()
	return string(got)
}
