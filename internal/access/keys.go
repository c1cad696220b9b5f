package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// What the management calls can fail with, apart from the store's own errors.
var (
	ErrNotFound = errors.New("no such key")
	ErrInvalid  = errors.New("not accepted")                      // the message says what and why
	ErrEnded    = errors.New("the key is revoked or has expired") // and stays so
)

// MaxOverlap is the longest time for which a rotation leaves two secrets good.
const MaxOverlap = 30 * 24 * time.Hour

// Options are what keys may be given. The zero value is good.
type Options struct {
	// Log is told what is wrong with records and with the store. Nil: nobody is.
	Log *slog.Logger
	// Refused is called each time that Authorize fails, in the caller's goroutine. It must be quick. Nil: nobody is told.
	Refused func(Reason)
}

// Keys are the API keys of an instance. Its methods may be called concurrently; [Keys.Run] must run beside them.
type Keys struct {
	store   Store
	log     *slog.Logger
	options Options
	nobody  *entry        // stands in for a key that does not exist
	changed chan struct{} // holds one: the table was replaced

	table atomic.Pointer[map[string]*entry] // by id; immutable
	mu    sync.Mutex                        // held by whoever reads the store and then replaces the table
}

// NewKeys loads the keys that are in the store. A record that cannot be understood is logged and left out: its key is
// refused, the others are served.
func NewKeys(ctx context.Context, store Store, o Options) (*Keys, error) {
	k := &Keys{store: store, log: o.Log, options: o, changed: make(chan struct{}, 1)}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	nobody := record{Secrets: []secret{{Hash: hashOf(newSecret())}, {Hash: hashOf(newSecret())}}}
	k.nobody = newEntry(nobody, 0, nil)
	k.table.Store(&map[string]*entry{})
	if err := k.load(ctx); err != nil {
		return nil, err
	}
	return k, nil
}

// Create makes a key. The secret is what its user presents; it is returned here and never again. It fails with
// [ErrInvalid] where spec is not good.
func (k *Keys) Create(ctx context.Context, spec Spec) (presented string, key Key, err error) {
	key, err = newKey(spec, moment())
	if err != nil {
		return "", Key{}, fmt.Errorf("creating a key: %w", err)
	}
	text := newSecret()
	r := record{Key: key, Secrets: []secret{{Hash: hashOf(text)}}}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.save(ctx, r, 0); err != nil {
		return "", Key{}, fmt.Errorf("creating a key: %w", err)
	}
	return format(key.ID, text), key, nil
}

// List returns all keys, also those that have ended, by the time of their making, then by id.
func (k *Keys) List() []Key {
	keys := []Key{}
	for _, e := range *k.table.Load() {
		keys = append(keys, e.shown())
	}
	slices.SortFunc(keys, func(a, b Key) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return keys
}

// Get returns one key, or [ErrNotFound].
func (k *Keys) Get(id string) (Key, error) {
	e, ok := (*k.table.Load())[id]
	if !ok {
		return Key{}, ErrNotFound
	}
	return e.shown(), nil
}

// Rotate gives the key a new secret and returns it, once. The secret before it is good for the time of the overlap (0:
// no longer; at most [MaxOverlap]); any older one ends now, so that two are good at most. It fails with [ErrNotFound],
// [ErrInvalid] and [ErrEnded].
func (k *Keys) Rotate(ctx context.Context, id string, overlap time.Duration) (presented string, err error) {
	if overlap < 0 || overlap > MaxOverlap {
		return "", fmt.Errorf("rotating key %.16q: %w: an overlap is from 0 to %v", id, ErrInvalid, MaxOverlap)
	}
	text := newSecret()
	next := hashOf(text)
	err = k.modify(ctx, id, func(r *record) (bool, error) {
		if r.Secrets[0].Hash == next {
			return false, nil // written by the call before, whose answer was lost
		}
		now := moment()
		if !r.Revoked.IsZero() || r.expired(now) {
			return false, ErrEnded
		}
		r.rotate(next, now, overlap)
		return true, nil
	})
	if err != nil {
		return "", fmt.Errorf("rotating key %.16q: %w", id, err)
	}
	return format(id, text), nil
}

// Revoke ends the key and its sessions, for ever. When it returns nil, this instance refuses the key; other replicas
// follow as soon as the store tells them. Revoking a key again changes nothing. It fails with [ErrNotFound].
func (k *Keys) Revoke(ctx context.Context, id string) error {
	err := k.modify(ctx, id, func(r *record) (bool, error) {
		if !r.Revoked.IsZero() {
			return false, nil
		}
		r.Revoked = moment()
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("revoking key %.16q: %w", id, err)
	}
	return nil
}

// modify changes a key's record in the store and here. change may be called again, with what another writer left; it
// reports whether there is anything to write.
func (k *Keys) modify(ctx context.Context, id string, change func(*record) (bool, error)) error {
	if len(id) != idLen || !isText(id) {
		return ErrNotFound // and nothing that the store should see
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var saveErr error
	for lost := uint64(0); ; {
		item, err := find(ctx, k.store, id)
		switch {
		case err != nil:
			return err
		case item.Version == 0:
			k.put(id, nil)
			return ErrNotFound
		case item.Version == lost:
			return saveErr // nobody was faster: the store itself has failed
		}
		r, err := decodeRecord(id, item.Value)
		if err != nil {
			return err
		}
		write, err := change(&r)
		if err != nil {
			return err
		}
		if !write {
			k.put(id, newEntry(r, item.Version, k.entry(id)))
			return nil
		}
		if saveErr = k.save(ctx, r, item.Version); saveErr == nil {
			return nil
		}
		lost = item.Version
	}
}

// save writes a record and puts it into the table. The lock is held.
func (k *Keys) save(ctx context.Context, r record, ifVersion uint64) error {
	value, err := encodeRecord(r)
	if err != nil {
		return err
	}
	version, err := k.store.Put(ctx, storePrefix+r.ID, value, ifVersion)
	if err != nil {
		return err
	}
	k.put(r.ID, newEntry(r, version, k.entry(r.ID)))
	return nil
}

// load reads all records and replaces the table.
func (k *Keys) load(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	items, err := k.store.List(ctx, storePrefix)
	if err != nil {
		return fmt.Errorf("loading the keys: %w", err)
	}
	old, table := *k.table.Load(), map[string]*entry{}
	for _, item := range items {
		id := idOf(item.Key)
		if e := k.read(id, item, old[id]); e != nil {
			table[id] = e
		}
	}
	for id, e := range old {
		if table[id] == nil {
			e.end()
		}
	}
	k.replace(table)
	return nil
}

// read makes the entry of an item, or nil, and a line in the log, where it is not good.
func (k *Keys) read(id string, item Item, old *entry) *entry {
	if old != nil && old.version == item.Version {
		return old
	}
	r, err := decodeRecord(id, item.Value)
	if err != nil {
		k.log.Error("a key is refused because its record cannot be read", "key", id, "error", err)
		return nil
	}
	return newEntry(r, item.Version, old)
}

// entry returns what the table has of a key, or nil.
func (k *Keys) entry(id string) *entry { return (*k.table.Load())[id] }

// put replaces one entry of the table; nil takes it out and ends its sessions. The lock is held.
func (k *Keys) put(id string, e *entry) {
	table := maps.Clone(*k.table.Load())
	if e != nil {
		table[id] = e
	} else if old := table[id]; old != nil {
		delete(table, id)
		old.end()
	}
	k.replace(table)
}

// replace publishes a table.
func (k *Keys) replace(table map[string]*entry) {
	k.table.Store(&table)
	select {
	case k.changed <- struct{}{}:
	default: // Run knows already
	}
}

// moment is now as it is stored: UTC, without the monotonic clock, to the microsecond.
func moment() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
