// Package etcd reads the key-value store of etcd 3. Everything is read at one revision, page by page; from there on
// each change is heard from the watch, whose answers are whole revisions.
package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc/connectivity"

	"github.com/fairlead/fairlead/internal/provider/kv"
)

// Config says where etcd is.
type Config struct {
	Endpoints []string // "host:port"; one of them is enough
	Root      string
	Username  string                 // "": nobody
	Password  func() (string, error) // called at the start of every run
	TLS       *tls.Config            // nil: plain text
}

// Store is one etcd.
type Store struct{ config Config }

// New returns the store.
func New(c Config) *Store { return &Store{c} }

const (
	pageSize   = 1000             // keys
	patience   = 5 * time.Second  // for one answer
	aliveEvery = 10 * time.Second // an idle connection is asked whether it is there
)

// Follow is part of [kv.Store].
func (s *Store) Follow(ctx context.Context, tell func(map[string]string) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	client, err := s.dial(ctx)
	if err != nil {
		return fmt.Errorf("connecting to etcd: %w", err)
	}
	defer func() { _ = client.Close() }() // it cannot fail in a way that matters
	texts, revision, err := s.read(ctx, client)
	if err != nil {
		return fmt.Errorf("reading etcd: %w", err)
	}
	if err := tell(maps.Clone(texts)); err != nil {
		return err
	}
	done := make(chan struct{})
	defer func() { <-done }()
	defer cancel(nil)
	go func() { // the watch waits for ever where no server can be reached
		defer close(done)
		if err := lost(ctx, client); err != nil {
			cancel(err)
		}
	}()
	// Without a leader the server would say nothing, and nothing would be missed.
	changes := client.Watch(clientv3.WithRequireLeader(ctx), s.config.Root+"/", clientv3.WithPrefix(),
		clientv3.WithRev(revision+1))
	apply := func(r clientv3.WatchResponse) error { return s.apply(texts, r) }
	for {
		r, open := <-changes
		if !open || ctx.Err() != nil {
			return fmt.Errorf("watching etcd: %w", context.Cause(ctx))
		}
		err := apply(r)
		if err == nil {
			err = kv.Settle(ctx, changes, apply)
		}
		if err != nil {
			return fmt.Errorf("watching etcd: %w", err)
		}
		if err := tell(maps.Clone(texts)); err != nil {
			return err
		}
	}
}

func (s *Store) dial(ctx context.Context) (*clientv3.Client, error) {
	password, err := s.config.Password()
	if err != nil {
		return nil, err
	}
	return clientv3.New(clientv3.Config{
		Context: ctx, Endpoints: s.config.Endpoints, TLS: s.config.TLS, Logger: zap.NewNop(),
		Username: s.config.Username, Password: password, DialTimeout: patience,
		DialKeepAliveTime: aliveEvery, DialKeepAliveTimeout: patience,
	})
}

// read returns all texts below the root, and the revision that they are of.
func (s *Store) read(ctx context.Context, client *clientv3.Client) (map[string]string, int64, error) {
	texts := map[string]string{}
	prefix := s.config.Root + "/"
	end := clientv3.GetPrefixRangeEnd(prefix)
	var revision int64
	for from := prefix; ; {
		page, err := get(ctx, client, from, clientv3.WithRange(end), clientv3.WithLimit(pageSize), clientv3.WithRev(revision))
		if err != nil {
			return nil, 0, err
		}
		if revision == 0 {
			revision = page.Header.Revision
		}
		for _, pair := range page.Kvs {
			s.set(texts, pair)
		}
		if !page.More {
			return texts, revision, nil
		}
		from = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
	}
}

func get(
	ctx context.Context, client *clientv3.Client, from string, options ...clientv3.OpOption,
) (*clientv3.GetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return client.Get(ctx, from, options...)
}

func (s *Store) set(texts map[string]string, pair *mvccpb.KeyValue) {
	if key, ok := kv.Below(s.config.Root, string(pair.Key)); ok {
		texts[key] = string(pair.Value)
	}
}

func (s *Store) apply(texts map[string]string, r clientv3.WatchResponse) error {
	if err := r.Err(); err != nil {
		return err
	}
	for _, e := range r.Events {
		if e.Type == clientv3.EventTypePut {
			s.set(texts, e.Kv)
		} else if key, ok := kv.Below(s.config.Root, string(e.Kv.Key)); ok {
			delete(texts, key)
		}
	}
	return nil
}

// lost waits until no server can be reached, or ctx is done.
func lost(ctx context.Context, client *clientv3.Client) error {
	conn := client.ActiveConnection()
	for {
		state := conn.GetState()
		if state == connectivity.TransientFailure {
			return errors.New("no server can be reached")
		}
		if !conn.WaitForStateChange(ctx, state) {
			return nil
		}
	}
}
