package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is Keys over a store in memory, with everything that was refused and logged.
type fixture struct {
	*Keys
	t       *testing.T
	store   *memory
	reasons []Reason
	log     strings.Builder
}

func newFixture(t *testing.T, store *memory) *fixture {
	t.Helper()
	f := &fixture{t: t, store: store}
	keys, err := NewKeys(t.Context(), store, Options{
		Log:     slog.New(slog.NewTextHandler(&f.log, nil)),
		Refused: func(r Reason) { f.reasons = append(f.reasons, r) },
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Keys = keys
	return f
}

// run starts Run and returns what stops it and gives its error.
func (f *fixture) run() (stop func() error) {
	ctx, cancel := context.WithCancel(f.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	return func() error { cancel(); return <-ended }
}

func (f *fixture) create(spec Spec) (string, Key) {
	f.t.Helper()
	presented, key, err := f.Create(f.t.Context(), spec)
	if err != nil {
		f.t.Fatal(err)
	}
	return presented, key
}

func (f *fixture) rotate(id string, overlap time.Duration) string {
	f.t.Helper()
	presented, err := f.Rotate(f.t.Context(), id, overlap)
	if err != nil {
		f.t.Fatal(err)
	}
	return presented
}

// want authorises and compares: "" is accepted, anything else the reason.
func (f *fixture) want(presented, scope string, want Reason) *Session {
	f.t.Helper()
	f.reasons = nil
	session, err := f.Authorize(presented, scope)
	var got Reason
	if len(f.reasons) > 0 {
		got = f.reasons[0]
	}
	wantErr := map[Reason]error{"": nil, Forbidden: ErrForbidden}
	e, known := wantErr[want]
	if !known {
		e = ErrRefused
	}
	if got != want || len(f.reasons) > 1 || !errors.Is(err, e) {
		f.t.Errorf("Authorize = %v, reasons %v, want %q", err, f.reasons, want)
	}
	if (session == nil) != (err != nil) {
		f.t.Errorf("Authorize = %v, %v", session, err)
	}
	return session
}

func isDone(s *Session) bool { return s.ended() }

func TestCreate(t *testing.T) {
	f := newFixture(t, newMemory())
	presented, key := f.create(Spec{Owner: " edge berlin ", Scopes: []string{"link:traffic", "link:read", "link:read"}})
	want := Key{ID: key.ID, Owner: "edge berlin", Scopes: []Scope{LinkRead, LinkTraffic}, Created: key.Created}
	if diff := cmp.Diff(want, key); diff != "" {
		t.Error(diff)
	}
	if id, ok := ID(" " + presented + "\n"); !ok || id != key.ID {
		t.Errorf("ID(%q) = %q, %v", presented, id, ok)
	}
	session := f.want(presented, "link:read", "")
	if session.ID() != key.ID || session.Owner() != "edge berlin" || isDone(session) {
		t.Errorf("session %+v", session)
	}
	if owner, ok := f.VerifyKey(presented, "link:traffic"); !ok || owner != "edge berlin" {
		t.Errorf("VerifyKey = %q, %v", owner, ok)
	}
	if owner, ok := f.VerifyKey(presented, "admin"); ok || owner != "" {
		t.Errorf("VerifyKey of a scope it lacks = %q, %v", owner, ok)
	}
	got, err := f.Get(key.ID)
	if err != nil {
		t.Errorf("Get = %+v, %v", got, err)
	}

	restarted := newFixture(t, f.store)
	restarted.want(presented, "link:read", "")
	if diff := cmp.Diff([]Key{key}, newFixture(t, f.store).List()); diff != "" {
		t.Errorf("after a restart:\n%s", diff)
	}
}

func TestCreateRefuses(t *testing.T) {
	f := newFixture(t, newMemory())
	good := Spec{Owner: "o", Scopes: []string{"admin"}}
	for name, change := range map[string]func(*Spec){
		"no owner":         func(s *Spec) { s.Owner = " " },
		"a long owner":     func(s *Spec) { s.Owner = strings.Repeat("ü", 129) },
		"a line break":     func(s *Spec) { s.Owner = "a\nb" },
		"not UTF-8":        func(s *Spec) { s.Owner = "a\xff" },
		"no scope":         func(s *Spec) { s.Scopes = nil },
		"an unknown scope": func(s *Spec) { s.Scopes = []string{"link:*"} },
		"an empty scope":   func(s *Spec) { s.Scopes = []string{""} },
		"an empty route":   func(s *Spec) { s.Scopes = []string{"route:"} },
		"a route of words": func(s *Spec) { s.Scopes = []string{"route:a b"} },
		"too many scopes": func(s *Spec) {
			for i := range maxScopes {
				s.Scopes = append(s.Scopes, fmt.Sprint("route:", i))
			}
		},
		"a past expiry": func(s *Spec) { s.Expires = time.Now().Add(-time.Second) },
	} {
		spec := good
		change(&spec)
		if presented, _, err := f.Create(t.Context(), spec); !errors.Is(err, ErrInvalid) || presented != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if keys := f.List(); len(keys) != 0 || f.store.puts != 0 {
		t.Errorf("refused keys were made: %v", keys)
	}
	good.Owner = strings.Repeat("ü", 128)
	f.create(good)
}

func TestRevoke(t *testing.T) {
	f := newFixture(t, newMemory())
	presented, key := f.create(Spec{Owner: "o", Scopes: []string{"admin"}})
	other, _ := f.create(Spec{Owner: "other", Scopes: []string{"admin"}})
	second := f.rotate(key.ID, time.Hour)
	sessions := []*Session{f.want(presented, "admin", ""), f.want(second, "admin", "")}
	unrelated := f.want(other, "admin", "")
	if err := f.Revoke(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	for i, s := range sessions {
		if !isDone(s) {
			t.Errorf("session %d goes on after the revocation", i)
		}
	}
	if isDone(unrelated) {
		t.Error("the session of another key ended")
	}
	f.want(second, "admin", Revoked)
	puts, before := f.store.puts, f.List()
	if err := f.Revoke(t.Context(), key.ID); err != nil || f.store.puts != puts {
		t.Errorf("revoking again: %v, %d writes", err, f.store.puts-puts)
	}
	if diff := cmp.Diff(before, f.List()); diff != "" {
		t.Error(diff)
	}
	if _, err := f.Rotate(t.Context(), key.ID, 0); !errors.Is(err, ErrEnded) {
		t.Errorf("rotating a revoked key: %v", err)
	}
	for _, id := range []string{"", "nobody", newID(), "keys/" + key.ID, key.ID[:3], strings.Repeat("x", 9999)} {
		if err := f.Revoke(t.Context(), id); !errors.Is(err, ErrNotFound) || len(err.Error()) > 200 {
			t.Errorf("revoking %.20q: %v", id, err)
		}
		if _, err := f.Get(id); !errors.Is(err, ErrNotFound) {
			t.Errorf("getting %.20q: %v", id, err)
		}
	}
}

func TestRotate(t *testing.T) {
	f := newFixture(t, newMemory())
	first, key := f.create(Spec{Owner: "o", Scopes: []string{"admin"}})
	firstSession := f.want(first, "admin", "")
	for _, overlap := range []time.Duration{-1, MaxOverlap + 1} {
		if _, err := f.Rotate(t.Context(), key.ID, overlap); !errors.Is(err, ErrInvalid) {
			t.Errorf("Rotate with an overlap of %v: %v", overlap, err)
		}
	}

	second := f.rotate(key.ID, time.Hour)
	if got, _ := f.Get(key.ID); got.LastUsed.IsZero() {
		t.Error("the rotation forgot the last use")
	}
	if f.want(first, "admin", "") != firstSession || isDone(firstSession) {
		t.Error("the first session does not go on in the overlap")
	}
	secondSession := f.want(second, "admin", "")
	if got, _ := f.Get(key.ID); got.Overlap.Sub(got.Rotated) != time.Hour || got.LastUsed.IsZero() {
		t.Errorf("after the rotation: %+v", got)
	}

	third := f.rotate(key.ID, time.Hour)
	f.want(first, "admin", WrongSecret)
	if f.want(second, "admin", ""); !isDone(firstSession) || isDone(secondSession) {
		t.Error("a second rotation must end the first session only")
	}

	fourth := f.rotate(key.ID, 0)
	f.want(second, "admin", WrongSecret)
	f.want(third, "admin", WrongSecret)
	f.want(fourth, "admin", "")
	if got, _ := f.Get(key.ID); !isDone(secondSession) || !got.Overlap.IsZero() {
		t.Errorf("after a rotation without overlap: %+v", got)
	}
	newFixture(t, f.store).want(fourth, "admin", "")
}
