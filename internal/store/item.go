package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Item is one value and the version of the store that wrote it. Version 0 means that there is none.
//
// It is an alias so that consumers can name the same type in interfaces of their own, without importing this package.
type Item = struct {
	Key     string
	Value   []byte // the caller's to keep
	Version uint64
}

// Any as ifVersion makes a write unconditional.
const Any = ^uint64(0)

// The limits of an item, in bytes. They are those that other stores keep as well (etcd takes 1.5 MiB a request).
const (
	MaxKey   = 512
	MaxValue = 1 << 20
)

// What a call can fail with, apart from the file system and its context.
var (
	ErrNotFound = errors.New("not in the store")
	ErrConflict = errors.New("changed by another writer")
	ErrLimit    = errors.New("outside the limits of the store")
	ErrClosed   = errors.New("the store is closed")
)

// Get returns the item, or [ErrNotFound].
func (b *Bolt) Get(ctx context.Context, key string) (Item, error) {
	var item Item
	err := b.view(ctx, func(items *bbolt.Bucket) (err error) {
		record := items.Get([]byte(key))
		if record == nil {
			return ErrNotFound
		}
		item, err = decode([]byte(key), record)
		return err
	})
	if err != nil {
		return Item{}, fmt.Errorf("reading %s: %w", key, err)
	}
	return item, nil
}

// List returns the items whose key begins with prefix, sorted by key, all as of one moment. "" lists everything.
func (b *Bolt) List(ctx context.Context, prefix string) ([]Item, error) {
	var list []Item
	err := b.view(ctx, func(items *bbolt.Bucket) error {
		cursor, start := items.Cursor(), []byte(prefix)
		for key, record := cursor.Seek(start); bytes.HasPrefix(key, start) && key != nil; key, record = cursor.Next() {
			item, err := decode(key, record)
			if err != nil {
				return err
			}
			list = append(list, item)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", prefix, err)
	}
	return list, nil
}

// Put writes the value and returns its version. It does so only if the item has the version ifVersion now: 0 means that
// there is no such item, [Any] accepts whatever there is; else it fails with [ErrConflict]. When Put returns nil, the
// value is on the disk. Keys of 1 to [MaxKey] bytes and values of up to [MaxValue] are kept, others are [ErrLimit].
func (b *Bolt) Put(ctx context.Context, key string, value []byte, ifVersion uint64) (uint64, error) {
	var version uint64
	err := b.write(ctx, key, func(items *bbolt.Bucket) (err error) {
		if len(key) == 0 || len(key) > MaxKey || len(value) > MaxValue {
			return ErrLimit
		}
		if current, err := versionOf(items, key); err != nil {
			return err
		} else if ifVersion != Any && ifVersion != current {
			return ErrConflict
		}
		if version, err = items.NextSequence(); err != nil {
			return err
		}
		return items.Put([]byte(key), encode(key, value, version))
	})
	if err != nil {
		return 0, fmt.Errorf("writing %s: %w", key, err)
	}
	return version, nil
}

// Delete removes the item if it has the version ifVersion ([Any]: whichever it has), else it fails with [ErrConflict];
// with [ErrNotFound] where there is none.
func (b *Bolt) Delete(ctx context.Context, key string, ifVersion uint64) error {
	err := b.write(ctx, key, func(items *bbolt.Bucket) error {
		current, err := versionOf(items, key)
		switch {
		case err != nil:
			return err
		case current == 0:
			return ErrNotFound
		case ifVersion != Any && ifVersion != current:
			return ErrConflict
		}
		return items.Delete([]byte(key))
	})
	if err != nil {
		return fmt.Errorf("deleting %s: %w", key, err)
	}
	return nil
}

// view reads in one transaction.
func (b *Bolt) view(ctx context.Context, read func(items *bbolt.Bucket) error) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	return orClosed(b.db.View(func(tx *bbolt.Tx) error { return read(tx.Bucket(itemsBucket)) }))
}

// write changes key in one transaction, then tells the watchers.
func (b *Bolt) write(ctx context.Context, key string, change func(items *bbolt.Bucket) error) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	err := b.db.Update(func(tx *bbolt.Tx) error {
		if err := ctx.Err(); err != nil { // it may have waited for other writers
			return err
		}
		return change(tx.Bucket(itemsBucket))
	})
	if err != nil {
		return orClosed(err)
	}
	b.notify(key)
	return nil
}

// orClosed gives the error of a call that met Close its name.
func orClosed(err error) error {
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// versionOf returns the version that key has now, 0 where there is no such item.
func versionOf(items *bbolt.Bucket, key string) (uint64, error) {
	record := items.Get([]byte(key))
	if record == nil {
		return 0, nil
	}
	item, err := decode([]byte(key), record)
	return item.Version, err
}

// A record is the version (8 bytes, big endian), a CRC-32 (4 bytes, big endian) of key, version and value, and the
// value.
const recordHead = 8 + 4

// encode makes the record of an item.
func encode(key string, value []byte, version uint64) []byte {
	record := make([]byte, recordHead, recordHead+len(value))
	binary.BigEndian.PutUint64(record, version)
	record = append(record, value...)
	binary.BigEndian.PutUint32(record[8:], checksum([]byte(key), record))
	return record
}

// decode reads a record; the item shares no memory with it.
func decode(key, record []byte) (Item, error) {
	if len(record) < recordHead || binary.BigEndian.Uint32(record[8:]) != checksum(key, record) {
		return Item{}, fmt.Errorf("the record of %q is damaged", key)
	}
	value := append([]byte{}, record[recordHead:]...)
	return Item{Key: string(key), Value: value, Version: binary.BigEndian.Uint64(record)}, nil
}

// checksum covers the key as well: a record in another's place is damage too.
func checksum(key, record []byte) uint32 {
	sum := crc32.ChecksumIEEE(key)
	sum = crc32.Update(sum, crc32.IEEETable, record[:8])
	return crc32.Update(sum, crc32.IEEETable, record[recordHead:])
}
