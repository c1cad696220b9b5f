package cert

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// dial makes a handshake between a server and a client that knows nothing of it but the CA's pin.
func dial(t *testing.T, get Get, pin, name string) error {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	served := make(chan error, 1)
	go func() {
		server := tls.Server(theirs, ServerTLS(get, 0))
		served <- errors.Join(server.Handshake(), server.Close())
	}()
	client := tls.Client(ours, &tls.Config{
		ServerName:         name,
		NextProtos:         []string{"h2"},
		InsecureSkipVerify: true, // verifyPin does it
		VerifyConnection:   func(state tls.ConnectionState) error { return verifyPin(state, pin, name) },
	})
	err := client.Handshake()
	ours.Close()
	<-served
	return err
}

// verifyPin finds the pinned CA in what the server sent and trusts nothing else.
func verifyPin(state tls.ConnectionState, pin, name string) error {
	if state.NegotiatedProtocol != "h2" || state.Version < tls.VersionTLS12 {
		return errors.New("not HTTP/2 over TLS 1.2 or later")
	}
	roots := x509.NewCertPool()
	for _, c := range state.PeerCertificates {
		if sum := sha256.Sum256(c.Raw); "sha256:"+hex.EncodeToString(sum[:]) == pin {
			roots.AddCert(c)
		}
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: time.Now()})
	return err
}

func TestPin(t *testing.T) {
	a, stranger := newAuthority(t, newMemory()), newAuthority(t, newMemory())
	get, err := a.Renewing([]string{"link.example", "10.0.0.1", "*.pods.example", "::1"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link.example", "10.0.0.1", "a.pods.example", "::1"} {
		if err := dial(t, get, a.Pin(), name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := dial(t, get, a.Pin(), "other.example"); err == nil {
		t.Error("a name that the certificate is not for is accepted")
	}
	if err := dial(t, get, stranger.Pin(), "link.example"); err == nil {
		t.Error("another pin is accepted")
	}
	forged, err := stranger.Issue([]string{"link.example"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	forged.Certificate[1] = a.certificate.Raw // as everybody can see it
	err = dial(t, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &forged, nil }, a.Pin(), "link.example")
	if err == nil {
		t.Error("a stranger who shows the CA is accepted")
	}
}

func TestServerTLS(t *testing.T) {
	config := ServerTLS(nil, 0)
	if config.MinVersion != tls.VersionTLS12 || strings.Join(config.NextProtos, " ") != "h2 http/1.1" {
		t.Errorf("%+v", config)
	}
	if config := ServerTLS(nil, tls.VersionTLS13); config.MinVersion != tls.VersionTLS13 {
		t.Errorf("min version %x", config.MinVersion)
	}
}

// Old ciphers are for old versions, whose owner wants them, and for those who ask for them.
func TestCiphers(t *testing.T) {
	old := tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
	ordinary := ServerTLS(nil, 0)
	for _, c := range []struct {
		name    string
		options model.TLSOptions
		offers  bool
	}{
		{"by default", model.TLSOptions{}, false},
		{"TLS 1.1, too", model.TLSOptions{MinVersion: tls.VersionTLS11}, true},
		{"asked for", model.TLSOptions{CipherSuites: []uint16{old}}, true},
	} {
		config, err := WithOptions(ordinary, &c.options)
		if err != nil {
			t.Fatal(err)
		}
		offers := config.CipherSuites == nil || slices.Contains(config.CipherSuites, old)
		if offers != c.offers {
			t.Errorf("%s: offered: %v, want %v", c.name, offers, c.offers)
		}
	}
	if slices.Contains(ordinary.CipherSuites, old) || len(ordinary.CipherSuites) == 0 {
		t.Errorf("an entry point offers %v", ordinary.CipherSuites)
	}
}

func TestAuthority(t *testing.T) {
	store := newMemory()
	a := newAuthority(t, store)
	c := a.certificate
	if key, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("key %T", c.PublicKey)
	}
	years := c.NotAfter.Sub(c.NotBefore).Hours() / 24 / 365
	if !c.IsCA || !c.MaxPathLenZero || c.MaxPathLen != 0 || years < 10 || c.SerialNumber.BitLen() < 64 ||
		c.Subject.CommonName != "Fairlead CA of test" {
		t.Errorf("%+v", c)
	}
	block, rest := pem.Decode(a.PEM())
	if block == nil || len(rest) > 0 || !bytes.Equal(block.Bytes, c.Raw) {
		t.Error("PEM is not the certificate")
	}
	sum := sha256.Sum256(block.Bytes)
	if a.Pin() != "sha256:"+hex.EncodeToString(sum[:]) {
		t.Errorf("Pin = %s", a.Pin())
	}
	restarted, err := NewAuthority(t.Context(), store, "renamed")
	if err != nil || restarted.Pin() != a.Pin() || !restarted.key.Equal(a.key) {
		t.Errorf("after a restart the CA is another one: %v", err)
	}
	if newAuthority(t, newMemory()).Pin() == a.Pin() {
		t.Error("two instances have the same CA")
	}
}

func TestReplicasShareOneAuthority(t *testing.T) {
	store := newMemory()
	var faster *Authority
	store.before = func() { faster = newAuthority(t, store) }
	if a := newAuthority(t, store); a.Pin() != faster.Pin() {
		t.Error("two replicas have different CAs")
	}
}

func TestAuthorityRefuses(t *testing.T) {
	store := newMemory()
	a := newAuthority(t, store)
	good := string(store.items[authorityKey].Value)
	leaf, err := a.Issue([]string{"a.example"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	beforeKey, _, _ := strings.Cut(good, "-----BEGIN PRIVATE")
	for name, bad := range map[string]string{
		"nothing":     "",
		"no key":      beforeKey,
		"damaged":     strings.Replace(good, "M", "N", 3),
		"not a CA":    string(encodePEM("CERTIFICATE", leaf.Certificate[0])) + string(keyPEM(t, leaf)),
		"another key": string(a.PEM()) + string(keyPEM(t, leaf)),
	} {
		store.items[authorityKey] = Item{Key: authorityKey, Value: []byte(bad), Version: 1}
		_, err := NewAuthority(t.Context(), store, "test")
		if err == nil || !strings.Contains(err.Error(), authorityKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	store.items[authorityKey+"/other"] = Item{Key: authorityKey + "/other", Value: []byte("x"), Version: 1}
	delete(store.items, authorityKey)
	newAuthority(t, store)
	store.fail = errors.New("down")
	if _, err := NewAuthority(t.Context(), store, "test"); !errors.Is(err, store.fail) {
		t.Errorf("with a store that is down: %v", err)
	}
}

func TestIssueRefuses(t *testing.T) {
	a := newAuthority(t, newMemory())
	for _, names := range [][]string{
		nil, {""}, {"a b"}, {"a..b"}, {"-a"}, {"a-"}, {"*"}, {"a.*.b"}, {"ü.example"}, {"https://a.example"},
		{"a.example:443"}, {strings.Repeat("a", 64)}, {strings.Repeat("a.", 127) + "a"}, make([]string, maxNames+1),
	} {
		if _, err := a.Issue(names, time.Hour); err == nil {
			t.Errorf("issued for %.80q", names)
		}
		if _, err := a.Renewing(names, time.Hour); err == nil {
			t.Errorf("renewing for %.80q", names)
		}
	}
	if _, err := a.Issue([]string{"a.example"}, minLife-1); err == nil {
		t.Error("issued for no time")
	}
}

func TestRenewing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t, newMemory())
		get, err := a.Renewing([]string{"link.example"}, 3*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		serial := func() string {
			c, err := get(nil)
			if err != nil {
				t.Fatal(err)
			}
			return c.Leaf.SerialNumber.String()
		}
		first := serial()
		<-time.After(2*time.Hour - time.Second)
		if serial() != first {
			t.Error("renewed before two thirds of its life")
		}
		<-time.After(2 * time.Second)
		second := serial()
		if second == first || serial() != second {
			t.Error("not renewed once at two thirds of its life")
		}
		<-time.After(100 * time.Hour) // nobody came for longer than its life
		if err := dial(t, get, a.Pin(), "link.example"); err != nil {
			t.Errorf("after a long silence: %v", err)
		}
	})
}

func TestEndOfTheAuthority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		a := newAuthority(t, store)
		get, err := a.Renewing([]string{"link.example"}, 24*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(caLife - time.Hour)
		c, err := get(nil)
		if err != nil || !c.Leaf.NotAfter.Equal(a.certificate.NotAfter) {
			t.Fatalf("the last certificate outlives the CA: %v", err)
		}
		<-time.After(time.Hour + time.Second)
		if _, err := get(nil); err == nil || !strings.Contains(err.Error(), "expired") {
			t.Errorf("after the CA's end: %v", err)
		}
		if _, err := NewAuthority(t.Context(), store, "test"); err == nil || !strings.Contains(err.Error(), "delete") {
			t.Errorf("a restart after the CA's end: %v", err)
		}
	})
}

func BenchmarkIssue(b *testing.B) {
	a := newAuthority(b, newMemory())
	for b.Loop() {
		if _, err := a.Issue([]string{"link.example"}, time.Hour); err != nil {
			b.Fatal(err)
		}
	}
}
