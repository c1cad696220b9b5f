// Package zookeeper reads a tree of ZooKeeper's nodes. Each node that is read is watched from that answer on, and
// ZooKeeper delivers an event before any later answer. So when everything is read and no event has come, all of it is
// what was there at one moment; until then, what changed is read again.
package zookeeper

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/fairlead/fairlead/internal/provider/kv"
)

// Config says where ZooKeeper is.
type Config struct {
	Endpoints []string               // "host:port"; one of them is enough
	Root      string                 // "traefik": the node /traefik
	Username  string                 // of the scheme digest, "": nobody
	Password  func() (string, error) // called at the start of every run
	TLS       *tls.Config            // nil: plain text
}

// Store is one ZooKeeper.
type Store struct{ config Config }

// New returns the store.
func New(c Config) *Store { return &Store{c} }

// session is how long a server may be silent until its session is over.
const session = 10 * time.Second

// Follow is part of [kv.Store].
func (s *Store) Follow(ctx context.Context, tell func(map[string]string) error) error {
	events := newQueue()
	password, err := s.config.Password()
	if err != nil {
		return fmt.Errorf("connecting to ZooKeeper: %w", err)
	}
	conn, err := s.dial(ctx, events)
	if err != nil {
		return fmt.Errorf("connecting to ZooKeeper: %w", err)
	}
	// Its requests know no context: they end with the connection.
	defer conn.Close()
	stop := context.AfterFunc(ctx, conn.Close)
	defer stop()
	if s.config.Username != "" {
		if err := conn.AddAuth("digest", []byte(s.config.Username+":"+password)); err != nil {
			return fmt.Errorf("connecting to ZooKeeper: %w", err)
		}
	}
	t := newTree(conn, "/"+s.config.Root)
	if err := t.readAll(ctx, events); err != nil {
		return fmt.Errorf("reading ZooKeeper: %w", err)
	}
	for {
		if err := tell(t.texts()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-events.some:
		}
		if err := kv.Settle(ctx, events.some, func(struct{}) error { return nil }); err != nil {
			return err
		}
		if err := t.update(ctx, events); err != nil {
			return fmt.Errorf("reading ZooKeeper: %w", err)
		}
	}
}

func (s *Store) dial(ctx context.Context, events *queue) (*zk.Conn, error) {
	dial := func(network, address string, timeout time.Duration) (conn net.Conn, err error) {
		d := &net.Dialer{Timeout: timeout}
		if s.config.TLS != nil {
			conn, err = (&tls.Dialer{NetDialer: d, Config: s.config.TLS}).DialContext(ctx, network, address)
		} else {
			conn, err = d.DialContext(ctx, network, address)
		}
		return promptConn{conn}, err
	}
	conn, _, err := zk.Connect(s.config.Endpoints, session, zk.WithDialer(dial), zk.WithEventCallback(events.add),
		zk.WithLogger(quiet{}))
	return conn, err
}

// promptConn is a connection on which nothing is waited for longer than a session lasts. The library waits six times as
// long for a server's first word, which one that dies or starts at that moment may never say.
type promptConn struct{ net.Conn }

// SetReadDeadline is part of net.Conn.
func (c promptConn) SetReadDeadline(t time.Time) error {
	if latest := time.Now().Add(session); t.After(latest) {
		t = latest
	}
	return c.Conn.SetReadDeadline(t)
}

// errLost is the failure of a session. A new one knows nothing of what is watched, so all is read again.
var errLost = errors.New("the connection was lost")

// quiet is a log that nobody reads: what matters is told as an error.
type quiet struct{}

// Printf is part of zk.Logger.
func (quiet) Printf(string, ...any) {}
