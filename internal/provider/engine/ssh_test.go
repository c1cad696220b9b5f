package engine_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/moby/moby/client"
	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"

	"github.com/fairlead/fairlead/internal/provider/engine"
	"github.com/fairlead/fairlead/internal/provider/engine/enginetest"
)

// newKey makes a private key, and its file.
func newKey(t *testing.T, name, passphrase string) (ssh.Signer, string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(key, name)
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, name, []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer, write(t, name, string(pem.EncodeToMemory(block)))
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serveSSH lets ann with her key reach one socket, which is an engine.
func serveSSH(t *testing.T, host ssh.Signer, ann ssh.PublicKey, engine string) (address string) {
	t.Helper()
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if c.User() != "ann" || !bytes.Equal(key.Marshal(), ann.Marshal()) {
				return nil, io.EOF
			}
			return nil, nil
		},
	}
	config.AddHostKey(host)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { connectSSH(conn, config, engine) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	return listener.Addr().String()
}

func connectSSH(conn net.Conn, config *ssh.ServerConfig, engine string) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for c := range channels {
		if c.ChannelType() != "direct-streamlocal@openssh.com" || !strings.Contains(string(c.ExtraData()), "/the/socket") {
			_ = c.Reject(ssh.Prohibited, "not here")
			continue
		}
		here, more, err := c.Accept()
		if err != nil {
			return
		}
		go ssh.DiscardRequests(more)
		there, err := net.Dial("tcp", engine)
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(there, here); _ = there.Close() }()
		go func() { _, _ = io.Copy(here, there); _ = here.Close() }()
	}
}

func TestSSH(t *testing.T) {
	fake := enginetest.New(t, nil)
	host, _ := newKey(t, "host", "")
	ann, identity := newKey(t, "ann", "")
	_, stranger := newKey(t, "stranger", "")
	_, locked := newKey(t, "locked", "secret")
	address := serveSSH(t, host, ann.PublicKey(), fake.Listener.Addr().String())
	known := write(t, "known", knownhosts.Line([]string{address}, host.PublicKey())+"\n")
	at := "ssh://ann@" + address + "/the/socket"
	for name, c := range map[string]struct {
		endpoint string
		ssh      engine.SSH
		failure  string // "": none
	}{
		"ann":             {at, engine.SSH{identity, known}, ""},
		"another socket":  {"ssh://ann@" + address, engine.SSH{identity, known}, "reaching /var/run/docker.sock there"},
		"another user":    {"ssh://bob@" + address + "/the/socket", engine.SSH{identity, known}, "unable to authenticate"},
		"another key":     {at, engine.SSH{stranger, known}, "unable to authenticate"},
		"an unknown host": {at, engine.SSH{identity, write(t, "none", "")}, "key is unknown"},
		"another host": {at, engine.SSH{identity, write(t, "other",
			knownhosts.Line([]string{address}, ann.PublicKey()))}, "key mismatch"},
		"a locked key": {at, engine.SSH{locked, known}, "passphrase protected"},
		"no key":       {at, engine.SSH{"/missing", known}, "reading the SSH key"},
		"no hosts":     {at, engine.SSH{identity, "/missing"}, "reading the hosts"},
	} {
		t.Run(name, func(t *testing.T) {
			e := engine.Engine{Endpoint: c.endpoint, SSH: &c.ssh}
			if e.Remote() != "127.0.0.1" {
				t.Errorf("its host is %q", e.Remote())
			}
			asked, err := e.Connect()
			if err != nil {
				t.Fatal(err)
			}
			defer asked.Close()
			_, err = asked.Ping(t.Context(), client.PingOptions{})
			if err == nil != (c.failure == "") || err != nil && !strings.Contains(err.Error(), c.failure) {
				t.Errorf("got %v, want %q", err, c.failure)
			}
		})
	}
}
