package access

import (
	"context"
	"iter"
	"strings"
)

// Item is one value of a store and its version: 0 where there is none, growing with each write. It is an alias, so that
// a store may declare the same type without importing this package.
type Item = struct {
	Key     string
	Value   []byte
	Version uint64
}

// Table is where the records are kept.
type Table interface {
	// List returns the items whose key begins with prefix.
	List(ctx context.Context, prefix string) ([]Item, error)
	// Put writes the value if the item has that version now (0: if there is none), and returns the new version.
	Put(ctx context.Context, key string, value []byte, ifVersion uint64) (uint64, error)
}

// Watcher tells of changes.
type Watcher interface {
	// Watch yields the key of each item under prefix that changes from the call on, until ctx is done. It may leave out a
	// change that a later one of the same item has overtaken.
	Watch(ctx context.Context, prefix string) iter.Seq[string]
}

// Store is what keys are kept in.
type Store interface {
	Table
	Watcher
}

// storePrefix is where in the store the records are; the id follows.
const storePrefix = "keys/"

// find returns the item of a key, the zero Item where there is none.
func find(ctx context.Context, t Table, id string) (Item, error) {
	items, err := t.List(ctx, storePrefix+id)
	if err != nil {
		return Item{}, err
	}
	for _, item := range items {
		if item.Key == storePrefix+id {
			return item, nil
		}
	}
	return Item{}, nil
}

// idOf returns the id that a store's key is about.
func idOf(storeKey string) string { return strings.TrimPrefix(storeKey, storePrefix) }
