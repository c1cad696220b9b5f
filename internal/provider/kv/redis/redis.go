// Package redis reads Redis. Its keys have no common revision, so what is read counts only if the same keys are there
// before and after all values were read at once. Changes are heard from keyspace notifications where the server sends
// them, and looked for otherwise.
package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fairlead/fairlead/internal/provider/kv"
)

// Config says where Redis is.
type Config struct {
	Endpoints []string // "host:port" of the server; with a master's name, those of its sentinels
	Root      string
	DB        int
	Username  string // "": the default user
	Password  func() (string, error)
	TLS       *tls.Config // nil: plain text
	// MasterName is what the sentinels call the server. "": there are no sentinels.
	MasterName       string
	SentinelUsername string
	SentinelPassword func() (string, error) // passwords are read at the start of every run
}

// Store is one Redis.
type Store struct{ config Config }

// New returns the store.
func New(c Config) *Store { return &Store{c} }

const (
	patience = 5 * time.Second  // for one answer
	often    = 2 * time.Second  // between two looks where changes are not told
	seldom   = 30 * time.Second // and where they are
	pageSize = 1000             // keys
	tries    = 10               // to read while keys come and go
)

// Follow is part of [kv.Store].
func (s *Store) Follow(ctx context.Context, tell func(map[string]string) error) error {
	client, err := s.dial()
	if err != nil {
		return fmt.Errorf("connecting to Redis: %w", err)
	}
	defer func() { _ = client.Close() }() // it cannot fail in a way that matters
	ctx, cancel := context.WithCancel(ctx)
	l, err := s.listen(ctx, client)
	if err != nil {
		cancel()
		return fmt.Errorf("connecting to Redis: %w", err)
	}
	defer l.wait()
	defer cancel()
	var last map[string]string
	for {
		texts, err := s.read(ctx, client)
		if err != nil {
			return fmt.Errorf("reading Redis: %w", err)
		}
		if last == nil || !maps.Equal(texts, last) {
			if err := tell(maps.Clone(texts)); err != nil {
				return err
			}
		}
		last = texts
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-l.failed:
			return fmt.Errorf("listening to Redis: %w", err)
		case <-time.After(l.interval):
		case <-l.changed:
			err = kv.Settle(ctx, l.changed, func(struct{}) error { return nil })
		}
		if err != nil {
			return err
		}
	}
}

func (s *Store) dial() (*redis.Client, error) {
	password, err := s.config.Password()
	if err != nil {
		return nil, err
	}
	if s.config.MasterName == "" {
		return redis.NewClient(&redis.Options{
			Addr: s.config.Endpoints[0], Username: s.config.Username, Password: password, DB: s.config.DB,
			TLSConfig: s.config.TLS, DialTimeout: patience, ReadTimeout: patience, MaxRetries: -1, DisableIdentity: true,
		}), nil
	}
	sentinel, err := s.config.SentinelPassword()
	if err != nil {
		return nil, err
	}
	return redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: s.config.MasterName, SentinelAddrs: s.config.Endpoints,
		SentinelUsername: s.config.SentinelUsername, SentinelPassword: sentinel,
		Username: s.config.Username, Password: password, DB: s.config.DB,
		TLSConfig: s.config.TLS, DialTimeout: patience, ReadTimeout: patience, MaxRetries: -1, DisableIdentity: true,
	}), nil
}

// read returns all texts below the root, as they were at one moment.
func (s *Store) read(ctx context.Context, client *redis.Client) (map[string]string, error) {
	before, err := s.keys(ctx, client)
	for range tries {
		if err != nil {
			return nil, err
		}
		var values []any
		if len(before) > 0 {
			if values, err = client.MGet(ctx, before...).Result(); err != nil {
				return nil, err
			}
		}
		var after []string
		if after, err = s.keys(ctx, client); err == nil && slices.Equal(before, after) {
			return s.texts(before, values), nil
		}
		before = after
	}
	return nil, errors.New("keys come and go too fast")
}

// keys returns the keys below the root, sorted.
func (s *Store) keys(ctx context.Context, client *redis.Client) ([]string, error) {
	var keys []string
	var cursor uint64
	for {
		page, next, err := client.Scan(ctx, cursor, pattern(s.config.Root)+"/*", pageSize).Result()
		if err != nil {
			return nil, err
		}
		keys = append(keys, page...)
		if cursor = next; cursor == 0 {
			slices.Sort(keys)
			return slices.Compact(keys), nil
		}
	}
}

// texts leaves out what is no text: lists, sets.
func (s *Store) texts(keys []string, values []any) map[string]string {
	texts := make(map[string]string, len(keys))
	for i, name := range keys {
		key, below := kv.Below(s.config.Root, name)
		if text, ok := values[i].(string); ok && below {
			texts[key] = text
		}
	}
	return texts
}

// pattern returns the pattern that matches a text alone.
func pattern(text string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`).Replace(text)
}

// listener hears of changes.
type listener struct {
	changed  chan struct{}
	failed   chan error
	interval time.Duration // how long nothing may be heard until one looks
	done     chan struct{}
}

// wait waits until the listener has ended, which it does when its context is done.
func (l *listener) wait() { <-l.done }

// listen begins to hear of changes, before anything is read. Its connection also tells when the server is gone.
func (s *Store) listen(ctx context.Context, client *redis.Client) (*listener, error) {
	l := &listener{make(chan struct{}, 1), make(chan error, 1), often, make(chan struct{})}
	sub := client.PSubscribe(ctx, "__keyspace@"+strconv.Itoa(s.config.DB)+"__:"+pattern(s.config.Root)+"/*")
	_, err := sub.ReceiveTimeout(ctx, patience)
	if refused, ok := errors.AsType[redis.Error](err); ok && strings.HasPrefix(refused.Error(), "NOPERM") {
		_ = sub.Close()
		close(l.done)
		return l, nil // it is not allowed to listen; it looks
	}
	if err != nil {
		_ = sub.Close()
		return nil, err
	}
	if told(ctx, client) {
		l.interval = seldom
	}
	go func() {
		defer close(l.done)
		defer func() { _ = sub.Close() }()
		l.run(ctx, sub)
	}()
	return l, nil
}

// told reports whether the server says that it tells changes of texts. Who may not ask that looks more often.
func told(ctx context.Context, client *redis.Client) bool {
	const setting = "notify-keyspace-events"
	settings, err := client.ConfigGet(ctx, setting).Result()
	events := settings[setting]
	all := strings.Contains(events, "A")
	return err == nil && strings.Contains(events, "K") &&
		(all || strings.Contains(events, "$") && strings.Contains(events, "g"))
}

func (l *listener) run(ctx context.Context, sub *redis.PubSub) {
	stop := context.AfterFunc(ctx, func() { _ = sub.Close() })
	defer stop()
	asked := false
	for {
		message, err := sub.ReceiveTimeout(ctx, patience)
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() && !asked {
			asked = true
			err = sub.Ping(ctx)
			message = nil
		} else {
			asked = false
		}
		if err != nil {
			l.failed <- err
			return
		}
		if _, ok := message.(*redis.Message); ok {
			select {
			case l.changed <- struct{}{}:
			default: // it is known already that something has changed
			}
		}
	}
}
