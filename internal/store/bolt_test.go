package store_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		writeUntilKilled(path)
	}
	goleak.VerifyTestMain(m)
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T, folder string) storetest.Store {
		return open(t, filepath.Join(folder, "store.db"))
	})
}

// open opens a store that must open.
func open(t testing.TB, path string) *store.Bolt {
	t.Helper()
	b, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOpenMakesPrivateFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "store.db")
	for range 2 {
		b := open(t, path)
		for name, want := range map[string]os.FileMode{filepath.Dir(path): 0o700, path: 0o600} {
			if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: mode %v, want %v (%v)", name, info.Mode(), want, err)
			}
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o644); err != nil { // closed to others again by the next Open
			t.Fatal(err)
		}
	}
}

func TestOpenRefusesASecondInstance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	b := open(t, path)
	_, err := store.Open(path)
	if err == nil || !strings.Contains(err.Error(), "another instance uses the store "+path) {
		t.Errorf("Open of a locked file = %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, path).Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenTellsDamageFromRefusal(t *testing.T) {
	folder := t.TempDir()
	_, err := store.Open(folder)
	if err == nil || strings.Contains(err.Error(), "damaged") {
		t.Errorf("Open of a folder = %v", err)
	}
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, []byte("plain text, not a store"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the first refusal must give the lock free
		if _, err = store.Open(file); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("Open of a text file = %v", err)
		}
	}
	if _, err = store.Open(filepath.Join(file, "store.db")); err == nil || strings.Contains(err.Error(), "damaged") {
		t.Errorf("Open below a file = %v", err)
	}
}

// TestOpenDamagedFile breaks a good file in many ways. Each time Open must refuse it, or everything must be as it was.
func TestOpenDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	b := open(t, path)
	for i := range 60 {
		key := "key" + strings.Repeat("x", i)
		if _, err := b.Put(t.Context(), key, []byte(strings.Repeat("value", 40)), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for i := range 150 {
		bad := append([]byte{}, good...)
		switch i % 4 {
		case 0: // cut short
			bad = bad[:1+random.IntN(len(bad)-1)]
		case 1: // one byte changed
			bad[random.IntN(len(bad))] ^= byte(1 + random.IntN(255))
		case 2: // a sector lost
			at := random.IntN(len(bad)/512) * 512
			clear(bad[at : at+512])
		case 3: // cut short where a page ends
			bad = bad[:(1+random.IntN(len(bad)/os.Getpagesize()-1))*os.Getpagesize()]
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := store.Open(path)
		if err != nil {
			if !strings.Contains(err.Error(), "damaged") {
				t.Errorf("damage %d: %v", i, err)
			}
			refused++
			continue
		}
		items, err := b.List(t.Context(), "key")
		if err != nil {
			t.Errorf("damage %d: List: %v", i, err)
		}
		// bbolt goes back to the commit before where the newest meta page is lost: one write less, never more.
		if len(items) < 59 {
			t.Errorf("damage %d: %d of 60 items left", i, len(items))
		}
		for _, item := range items {
			if string(item.Value) != strings.Repeat("value", 40) {
				t.Errorf("damage %d: %s has %q", i, item.Key, item.Value)
			}
		}
		if err := b.Close(); err != nil {
			t.Errorf("damage %d: Close: %v", i, err)
		}
	}
	if refused < 20 {
		t.Errorf("only %d of 150 damaged files were refused", refused)
	}
}

func TestWatchCoalesces(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "store.db"))
	watch := b.Watch(t.Context(), "")
	for range 10 {
		for _, key := range []string{"b", "a"} {
			if _, err := b.Put(t.Context(), key, nil, store.Any); err != nil {
				t.Fatal(err)
			}
		}
	}
	var got []string
	for key := range watch {
		if got = append(got, key); len(got) == 2 {
			if err := b.Close(); err != nil { // ends the sequence
				t.Fatal(err)
			}
		}
	}
	if strings.Join(got, " ") != "a b" {
		t.Errorf("the watch yields %q", got)
	}
}

func BenchmarkGet(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "store.db"))
	defer s.Close()
	if _, err := s.Put(b.Context(), "key", make([]byte, 256), 0); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Get(b.Context(), "key"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "store.db"))
	defer s.Close()
	value := make([]byte, 256)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Put(b.Context(), "key", value, store.Any); err != nil {
			b.Fatal(err)
		}
	}
}
