package middleware

import (
	"bytes"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

// nowhere is an address at which nothing is.
func nowhere(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Without its Redis, an instance counts for itself; that is told once, and is a problem. The suite in test/redis tells
// what is with it.
func TestRateLimitWithoutItsRedis(t *testing.T) {
	var log bytes.Buffer
	s := NewSet(Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	spec := model.Middleware{RateLimit: &model.RateLimit{Average: 1, Period: 1e12, Burst: 2, Redis: &model.Redis{
		Endpoints: []string{nowhere(t)}, Password: model.NewSecret(leak),
	}}}
	var got []int
	for range 4 {
		w, _ := exchange(build(t, s, spec), request("/"))
		got = append(got, w.Code)
	}
	if want := []int{200, 200, 429, 429}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || strings.Contains(log.String(), leak) {
		t.Errorf("it is told %d times:\n%s", n, &log)
	}
	problems := s.Problems()
	if len(problems) != 1 || problems[0].Code != model.Unreachable || problems[0].Since.IsZero() {
		t.Errorf("problems: %v", problems)
	}
	for _, k := range s.states {
		k.close()
	}
}
