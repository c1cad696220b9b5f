package cert

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a store in memory.
type memory struct {
	items map[string]Item
	fail  error
	// before is called by the next Put before it looks.
	before func()
}

func newMemory() *memory { return &memory{items: map[string]Item{}} }

func (m *memory) List(_ context.Context, prefix string) ([]Item, error) {
	var list []Item
	for key, item := range m.items {
		if strings.HasPrefix(key, prefix) {
			list = append(list, item)
		}
	}
	return list, m.fail
}

func (m *memory) Put(_ context.Context, key string, value []byte, ifVersion uint64) (uint64, error) {
	if before := m.before; before != nil {
		m.before = nil
		before()
	}
	if m.fail != nil {
		return 0, m.fail
	}
	if m.items[key].Version != ifVersion {
		return 0, errors.New("conflict")
	}
	m.items[key] = Item{Key: key, Value: bytes.Clone(value), Version: ifVersion + 1}
	return ifVersion + 1, nil
}

func newAuthority(t testing.TB, store Store) *Authority {
	t.Helper()
	a, err := NewAuthority(t.Context(), store, "test")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// write replaces a file as careful programs do.
func write(t testing.TB, path string, content []byte) {
	t.Helper()
	temp := path + ".new"
	if err := os.WriteFile(temp, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temp, path); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// keyPEM encodes a certificate's key.
func keyPEM(t testing.TB, c tls.Certificate) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return encodePEM("PRIVATE KEY", der)
}

// writePair makes a certificate and writes its files: name.crt and name.key in folder.
func writePair(t testing.TB, a *Authority, folder, name string, names ...string) Pair {
	t.Helper()
	c, err := a.Issue(names, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	pair := Pair{filepath.Join(folder, name+".crt"), filepath.Join(folder, name+".key")}
	write(t, pair.CertFile, encodePEM("CERTIFICATE", c.Certificate[0]))
	write(t, pair.KeyFile, keyPEM(t, c))
	return pair
}
