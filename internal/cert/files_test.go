package cert

import (
	"context"
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// fixture is Files that run, and tell of each look at the files.
type fixture struct {
	*Files
	t     *testing.T
	looks chan struct{}
}

func newFixture(t *testing.T, poll time.Duration, pairs ...Pair) *fixture {
	t.Helper()
	f := &fixture{t: t, looks: make(chan struct{}, 1)}
	files, err := NewFiles(pairs, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	f.Files = files
	f.pollEvery = poll
	f.reloaded = func() {
		select {
		case f.looks <- struct{}{}:
		default:
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	<-f.looks // the first: from now on changes are watched
	return f
}

// serves returns the first name of the certificate that a name gets.
func (f *fixture) serves(name string) string {
	f.t.Helper()
	c, err := f.GetCertificate(&tls.ClientHelloInfo{ServerName: name})
	if err != nil {
		f.t.Fatal(err)
	}
	return c.Leaf.DNSNames[0]
}

// until waits for a look at the files after which the condition holds.
func (f *fixture) until(what string, condition func() bool) {
	f.t.Helper()
	patience := time.After(10 * time.Second)
	for !condition() {
		select {
		case <-f.looks:
		case <-patience:
			f.t.Fatalf("never came to be: %s; problems %v", what, f.Problems())
		}
	}
}

func TestServerNames(t *testing.T) {
	folder, a := t.TempDir(), newAuthority(t, newMemory())
	f := newFixture(t, time.Hour,
		writePair(t, a, folder, "first", "first.example", "a.example"),
		writePair(t, a, folder, "second", "second.example", "a.example", "*.b.example", "b.example"),
		writePair(t, a, folder, "third", "third.example", "x.b.example", "*.b.example"),
	)
	for name, want := range map[string]string{
		"":                  "first.example",
		"a.example":         "first.example", // in two: the first has it
		"A.Example":         "first.example",
		"second.example":    "second.example",
		"second.example.":   "second.example",
		"b.example":         "second.example",
		"y.b.example":       "second.example", // wildcard, in two
		"x.b.example":       "third.example",  // exact before wildcard
		"z.y.b.example":     "first.example",  // a wildcard is one label
		".b.example":        "first.example",
		"*.b.example":       "second.example",
		"unknown.example":   "first.example",
		"example":           "first.example",
		".":                 "first.example",
		"third.example.com": "first.example",
	} {
		if got := f.serves(name); got != want {
			t.Errorf("%q gets %s, want %s", name, got, want)
		}
	}
}

func TestNoPairs(t *testing.T) {
	f, err := NewFiles(nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := f.GetCertificate(&tls.ClientHelloInfo{}); err == nil || c != nil {
		t.Errorf("GetCertificate = %v, %v", c, err)
	}
}

func TestStartNamesEveryMistake(t *testing.T) {
	folder, a := t.TempDir(), newAuthority(t, newMemory())
	good, other := writePair(t, a, folder, "good", "a.example"), writePair(t, a, folder, "other", "b.example")
	large := filepath.Join(folder, "large")
	write(t, large, make([]byte, maxFile+1))
	_, err := NewFiles([]Pair{
		good,
		{CertFile: filepath.Join(folder, "none.crt"), KeyFile: good.KeyFile},
		{CertFile: good.CertFile, KeyFile: other.KeyFile},
		{CertFile: good.KeyFile, KeyFile: good.CertFile},
		{CertFile: large, KeyFile: good.KeyFile},
		{CertFile: folder, KeyFile: good.KeyFile},
	}, slog.New(slog.DiscardHandler))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"none.crt", "good.crt and " + other.KeyFile, "good.key and ", "large has more", folder + ":",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %q", err, want)
		}
	}
}

func TestReloadByRename(t *testing.T) {
	folder, a := t.TempDir(), newAuthority(t, newMemory())
	f := newFixture(t, time.Hour, writePair(t, a, folder, "x", "old.example"))
	writePair(t, a, folder, "x", "new.example")
	f.until("the new certificate", func() bool { return f.serves("") == "new.example" })
}

func TestReloadInPlace(t *testing.T) {
	folder, a := t.TempDir(), newAuthority(t, newMemory())
	pair := writePair(t, a, folder, "x", "old.example")
	f := newFixture(t, time.Hour, pair)
	next := writePair(t, a, t.TempDir(), "y", "new.example")
	for from, to := range map[string]string{next.CertFile: pair.CertFile, next.KeyFile: pair.KeyFile} {
		if err := os.WriteFile(to, read(t, from), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.until("the new certificate", func() bool { return f.serves("") == "new.example" })
}

// swap points a symbolic link elsewhere in one step.
func swap(t *testing.T, link, to string) {
	t.Helper()
	if err := os.Symlink(to, link+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
}

// TestReloadBySymlinkSwap is how Kubernetes changes the files of a Secret: x.crt leads to ..data/x.crt, and ..data to a
// folder, which is the only thing that changes.
func TestReloadBySymlinkSwap(t *testing.T) {
	folder, a := t.TempDir(), newAuthority(t, newMemory())
	for _, version := range []string{"old", "new"} {
		if err := os.Mkdir(filepath.Join(folder, version), 0o700); err != nil {
			t.Fatal(err)
		}
		writePair(t, a, filepath.Join(folder, version), "x", version+".example")
	}
	swap(t, filepath.Join(folder, "..data"), "old")
	for _, file := range []string{"x.crt", "x.key"} {
		swap(t, filepath.Join(folder, file), filepath.Join("..data", file))
	}
	f := newFixture(t, time.Hour, Pair{filepath.Join(folder, "x.crt"), filepath.Join(folder, "x.key")})
	swap(t, filepath.Join(folder, "..data"), "new")
	f.until("the new certificate", func() bool { return f.serves("") == "new.example" })

	writePair(t, a, filepath.Join(folder, "new"), "x", "newer.example") // where the links lead now
	f.until("the newer certificate", func() bool { return f.serves("") == "newer.example" })
}

// TestReloadByPoll: a link above the folder of the files changes, of which the system tells nothing.
func TestReloadByPoll(t *testing.T) {
	folder, a := t.TempDir(), newAuthority(t, newMemory())
	for _, version := range []string{"old", "new"} {
		if err := os.Mkdir(filepath.Join(folder, version), 0o700); err != nil {
			t.Fatal(err)
		}
		writePair(t, a, filepath.Join(folder, version), "x", version+".example")
	}
	current := filepath.Join(folder, "current")
	swap(t, current, "old")
	f := newFixture(t, 10*time.Millisecond, Pair{filepath.Join(current, "x.crt"), filepath.Join(current, "x.key")})
	swap(t, current, "new")
	f.until("the new certificate", func() bool { return f.serves("") == "new.example" })
}

func TestBrokenReloadKeepsTheLastGood(t *testing.T) {
	folder, a := t.TempDir(), newAuthority(t, newMemory())
	pair := writePair(t, a, folder, "x", "old.example")
	other := writePair(t, a, folder, "other", "other.example")
	f := newFixture(t, time.Hour, pair, other)
	goodCert, goodKey, otherKey := read(t, pair.CertFile), read(t, pair.KeyFile), read(t, other.KeyFile)
	breakIt := map[string]func(){
		"not PEM":       func() { write(t, pair.CertFile, []byte("broken")) },
		"another's key": func() { write(t, pair.KeyFile, otherKey) },
		"no file": func() {
			if err := os.Remove(pair.KeyFile); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, do := range breakIt {
		do()
		f.until("a problem: "+name, func() bool { return len(f.Problems()) == 1 })
		p := f.Problems()[0]
		if p.Object.Kind != "certificate" || p.Object.Name.Name != pair.CertFile || p.Code != model.InvalidFile ||
			p.Since.IsZero() || !strings.Contains(p.Message, "last good") || strings.Contains(p.String(), "PRIVATE") {
			t.Errorf("%s: %+v", name, p)
		}
		if got := f.serves(""); got != "old.example" {
			t.Errorf("%s: %s is served", name, got)
		}
		writePair(t, a, folder, "other", "next.example") // a broken pair does not hold up another
		f.until("the other's certificate", func() bool { return f.serves("next.example") == "next.example" })
		writePair(t, a, folder, "other", "other.example")
		f.until("the other's certificate", func() bool { return f.serves("other.example") == "other.example" })
		if now := f.Problems()[0]; now != p {
			t.Errorf("%s: became %+v", name, now)
		}
		write(t, pair.CertFile, goodCert)
		write(t, pair.KeyFile, goodKey)
		f.until("no problem", func() bool { return len(f.Problems()) == 0 })
	}
}

func TestExpiredIsAProblem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder, a := t.TempDir(), newAuthority(t, newMemory())
		pair := writePair(t, a, folder, "x", "a.example") // good for an hour
		f, err := NewFiles([]Pair{pair}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if list := f.Problems(); len(list) > 0 {
			t.Errorf("problems of a good pair: %v", list)
		}
		<-time.After(time.Hour + time.Second)
		list := f.Problems()
		if len(list) != 1 || list[0].Code != model.Stale || !strings.Contains(list[0].Message, "expired") {
			t.Errorf("problems of an expired pair: %v", list)
		}
		if _, err := f.GetCertificate(&tls.ClientHelloInfo{}); err != nil {
			t.Errorf("the expired certificate is not served: %v", err)
		}
	})
}

func TestGetCertificateAllocatesNothing(t *testing.T) {
	folder, a := t.TempDir(), newAuthority(t, newMemory())
	f := newFixture(t, time.Hour, writePair(t, a, folder, "x", "a.example", "*.b.example"))
	for _, name := range []string{"a.example", "x.b.example", "unknown.example", ""} {
		hello := &tls.ClientHelloInfo{ServerName: name}
		if n := testing.AllocsPerRun(100, func() { _, _ = f.GetCertificate(hello) }); n > 0 {
			t.Errorf("%v allocations for %q", n, name)
		}
	}
}

func BenchmarkGetCertificate(b *testing.B) {
	pair := writePair(b, newAuthority(b, newMemory()), b.TempDir(), "x", "a.example", "*.b.example")
	f, err := NewFiles([]Pair{pair}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	hello := &tls.ClientHelloInfo{ServerName: "x.b.example"}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = f.GetCertificate(hello)
	}
}
