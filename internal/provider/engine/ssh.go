package engine

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
)

// SSH is how an engine is reached whose endpoint is ssh://user@host, with a port and the path of the socket there if
// they are not the usual ones. The server connects to the socket itself ("direct-streamlocal", OpenSSH's PROTOCOL
// §2.4), so the user needs no shell.
type SSH struct {
	IdentityFile   string // a private key without a passphrase; read for each connection
	KnownHostsFile string // as OpenSSH's; who is not in it is not believed
}

// usualSocket is where an engine listens if nothing else is said.
const usualSocket = "/var/run/docker.sock"

// dial is what http.Transport has of it.
type dial = func(ctx context.Context, network, address string) (net.Conn, error)

// dialer returns what connects to the engine at an endpoint. Each connection is one of SSH.
func (s *SSH) dialer(endpoint string, tcp *net.Dialer) (dial, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, err
	}
	host := net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "22"))
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		config, err := s.config(u.User.Username(), host)
		if err != nil {
			return nil, err
		}
		conn, err := tcp.DialContext(ctx, "tcp", host)
		if err != nil {
			return nil, err
		}
		through, err := reach(ctx, conn, host, config, cmp.Or(u.Path, usualSocket))
		if err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("over SSH: %w", err)
		}
		return through, nil
	}, nil
}

// config reads the files of SSH.
func (s *SSH) config(user, host string) (*ssh.ClientConfig, error) {
	text, err := os.ReadFile(s.IdentityFile)
	if err != nil {
		return nil, fmt.Errorf("reading the SSH key: %w", err)
	}
	key, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("reading the SSH key %s: %w", s.IdentityFile, err)
	}
	known, err := knownhosts.NewDB(s.KnownHostsFile)
	if err != nil {
		return nil, fmt.Errorf("reading the hosts that SSH knows: %w", err)
	}
	return &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: known.HostKeyCallback(), HostKeyAlgorithms: known.HostKeyAlgorithms(host),
	}, nil
}

// reach makes a connection one of SSH, and returns one to a socket on the other side.
func reach(ctx context.Context, conn net.Conn, host string, config *ssh.ClientConfig, socket string) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if err := conn.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return nil, err
	}
	session, channels, requests, err := ssh.NewClientConn(conn, host, config)
	if err != nil {
		return nil, err
	}
	c := ssh.NewClient(session, channels, requests)
	through, err := c.Dial("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("reaching %s there: %w", socket, err)
	}
	return &sshConn{through, c}, conn.SetDeadline(time.Time{})
}

// sshConn is a connection within one of SSH, which ends with it.
type sshConn struct {
	net.Conn
	client *ssh.Client
}

// Close ends both.
func (c *sshConn) Close() error {
	_ = c.Conn.Close() // of no matter: the connection around it goes
	return c.client.Close()
}
