// Package consul reads the key-value store of Consul. Everything below the root is one answer, which Consul holds back
// until something changes (a blocking query).
package consul

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/fairlead/fairlead/internal/provider/kv"
)

// Config says where Consul is.
type Config struct {
	Endpoints  []string // "host:port"; the first that answers is asked
	Root       string
	Datacenter string // "": that of the server
	Namespace  string // "": the token's
	Username   string // of HTTP's own authentication, "": nobody
	Password   func() (string, error)
	Token      func() (string, error) // both are called at the start of every run
	TLS        *tls.Config            // nil: plain text
}

// Store is one Consul.
type Store struct {
	config Config
	at     int // which endpoint is asked
}

// New returns the store.
func New(c Config) *Store { return &Store{config: c} }

const (
	longest  = 30 * time.Second // that an answer is held back
	patience = 10 * time.Second // for an answer, beside that
	pause    = 5 * time.Millisecond
)

// Follow is part of [kv.Store].
func (s *Store) Follow(ctx context.Context, tell func(map[string]string) error) error {
	client, closeIdle, err := s.dial()
	if err != nil {
		return fmt.Errorf("connecting to Consul: %w", err)
	}
	defer closeIdle()
	var index uint64
	for {
		pairs, next, err := s.list(ctx, client, index)
		if err != nil {
			s.at = (s.at + 1) % len(s.config.Endpoints)
			return fmt.Errorf("reading Consul: %w", err)
		}
		if index == 0 || next != index {
			if err := tell(s.texts(pairs)); err != nil {
				return err
			}
		}
		if index = next; index == 0 {
			index = 1 // 0 is not held back
		}
		select { // a burst is one change
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// list returns what is below the root once that is newer than an index, and its own index.
func (s *Store) list(ctx context.Context, client *api.Client, index uint64) (api.KVPairs, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, longest+longest/16+patience)
	defer cancel()
	q := &api.QueryOptions{
		WaitIndex: index, WaitTime: longest, Datacenter: s.config.Datacenter, Namespace: s.config.Namespace,
	}
	pairs, meta, err := client.KV().List(s.config.Root+"/", q.WithContext(ctx))
	if e, ok := errors.AsType[*url.Error](err); ok {
		return nil, 0, fmt.Errorf("%s: %w", s.config.Endpoints[s.at], e.Err) // the URL differs from time to time
	}
	if err != nil {
		return nil, 0, err
	}
	if meta.LastIndex < index { // the server was put back to an earlier state
		return s.list(ctx, client, 0)
	}
	return pairs, meta.LastIndex, nil
}

func (s *Store) texts(pairs api.KVPairs) map[string]string {
	texts := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		if key, ok := kv.Below(s.config.Root, pair.Key); ok {
			texts[key] = string(pair.Value)
		}
	}
	return texts
}

func (s *Store) dial() (client *api.Client, closeIdle func(), err error) {
	token, err := s.config.Token()
	if err != nil {
		return nil, nil, err
	}
	password, err := s.config.Password()
	if err != nil {
		return nil, nil, err
	}
	transport := &http.Transport{TLSClientConfig: s.config.TLS}
	c := &api.Config{
		Address: s.config.Endpoints[s.at], Scheme: "http", Token: token, HttpClient: &http.Client{Transport: transport},
	}
	if s.config.TLS != nil {
		c.Scheme = "https"
	}
	if s.config.Username != "" {
		c.HttpAuth = &api.HttpBasicAuth{Username: s.config.Username, Password: password}
	}
	client, err = api.NewClient(c)
	return client, transport.CloseIdleConnections, err
}
