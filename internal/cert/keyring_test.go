package cert

import (
	"crypto/tls"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// issued makes a snapshot's certificate for names.
func issued(t *testing.T, a *Authority, name string, names ...string) *model.Certificate {
	t.Helper()
	c, err := a.Issue(names, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return &model.Certificate{
		Name: model.Name{Name: name}, Source: "file/main",
		Chain: string(encodePEM("CERTIFICATE", c.Certificate[0])), Key: model.NewSecret(string(keyPEM(t, c))),
	}
}

// shown returns the names of the certificate that a client gets.
func shown(c Choice, name string) string {
	got, err := c.GetCertificate(&tls.ClientHelloInfo{ServerName: name})
	if err != nil {
		return ""
	}
	return strings.Join(got.Leaf.DNSNames, " ")
}

func TestChoice(t *testing.T) {
	a := newAuthority(t, newMemory())
	pair := writePair(t, a, t.TempDir(), "own", "own.example", "*.both.example")
	files, err := NewFiles([]Pair{pair}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	none, err := NewFiles(nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ring := NewKeyring()
	standard := issued(t, a, "standard", "standard.example")
	standard.Default = true
	ring.Set([]*model.Certificate{
		issued(t, a, "a", "a.example", "a.both.example"), issued(t, a, "b", "a.example", "*.example"), standard,
	})
	own, bare := Choice{files, ring}, Choice{none, ring}
	for _, c := range []struct{ name, own, bare string }{
		{"a.example", "a.example a.both.example", "a.example a.both.example"},
		{"A.example.", "a.example a.both.example", "a.example a.both.example"},
		{"a.both.example", "a.example a.both.example", "a.example a.both.example"}, // exactly, before the own wildcard
		{"b.both.example", "own.example *.both.example", "standard.example"},
		{"b.example", "a.example *.example", "a.example *.example"},
		{"standard.example", "a.example *.example", "a.example *.example"}, // it is for those that no other is for
		{"", "own.example *.both.example", "standard.example"},
	} {
		if got := shown(own, c.name); got != c.own {
			t.Errorf("%q: %s; want %s", c.name, got, c.own)
		}
		if got := shown(bare, c.name); got != c.bare {
			t.Errorf("%q, without own ones: %s; want %s", c.name, got, c.bare)
		}
	}
	if !own.Has("own.example") || own.Has("other.org") || bare.Has("") || !bare.Has("b.example") {
		t.Error("Has: the default ones count, or others do not")
	}
	ring.Set(nil)
	if got := shown(bare, "a.example"); got != "" {
		t.Errorf("without certificates: %s", got)
	}
}

func TestKeyringKeepsWhatWasGood(t *testing.T) {
	a := newAuthority(t, newMemory())
	ring := NewKeyring()
	none, err := NewFiles(nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	choice := Choice{none, ring}
	good, other := issued(t, a, "a.pem", "a.example"), issued(t, a, "b.pem", "b.example")
	mixed := *good
	mixed.Key = other.Key
	broken := &model.Certificate{Name: good.Name, Source: good.Source, Broken: true}
	for _, step := range []struct {
		set      *model.Certificate
		problems int
	}{{good, 0}, {&mixed, 1}, {broken, 0}, {good, 0}} {
		ring.Set([]*model.Certificate{step.set, other})
		if shown(choice, "a.example") != "a.example" || shown(choice, "b.example") != "b.example" {
			t.Error("a certificate that was good is gone")
		}
		if got := ring.Problems(); len(got) != step.problems {
			t.Errorf("problems: %v", got)
		}
	}
	ring.Set([]*model.Certificate{other})
	ring.Set([]*model.Certificate{&mixed, other})
	if got := ring.Problems(); shown(choice, "a.example") != "" || len(got) != 1 ||
		strings.Contains(got[0].Message, good.Key.Reveal()) {
		t.Errorf("what was never good is shown, or its key is told: %v", got)
	}
}

func TestKeyringTellsWhatExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t, newMemory())
		ring := NewKeyring()
		ring.Set([]*model.Certificate{issued(t, a, "a", "a.example")})
		<-time.After(2 * time.Hour)
		if got := ring.Problems(); len(got) != 1 || got[0].Code != model.Stale {
			t.Error(got)
		}
	})
}

func TestWithOptions(t *testing.T) {
	ordinary, strict := ServerTLS(nil, 0), ServerTLS(nil, tls.VersionTLS13)
	for _, c := range []struct {
		base      *tls.Config
		min, want uint16
	}{
		{ordinary, 0, tls.VersionTLS12}, {ordinary, tls.VersionTLS13, tls.VersionTLS13},
		{ordinary, tls.VersionTLS10, tls.VersionTLS10}, {strict, tls.VersionTLS10, tls.VersionTLS13},
	} {
		config, err := WithOptions(c.base, &model.TLSOptions{MinVersion: c.min})
		if err != nil || config.MinVersion != c.want || len(config.NextProtos) != 2 {
			t.Errorf("%x: %x, %v", c.min, config.MinVersion, err)
		}
	}
	if _, err := WithOptions(ordinary, &model.TLSOptions{ClientCAs: []string{"nothing"}}); err == nil {
		t.Error("CAs without a certificate are taken")
	}
}
