package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockWait is how long Open waits for the file's lock: long enough for an instance that is just ending.
const lockWait = 400 * time.Millisecond

// The buckets of the file, and what its format is called.
var (
	itemsBucket = []byte("items")
	metaBucket  = []byte("meta")
	formatKey   = []byte("format")
	formatValue = []byte("fairlead store 1")
)

// Bolt is a store in one file, for one process. Its methods may be called concurrently.
type Bolt struct {
	path string
	db   *bbolt.DB

	closing sync.Once
	closed  chan struct{} // closed by Close

	mu       sync.Mutex
	watchers map[*watcher]struct{}
}

// Open opens the store at path and makes it where there is none: the folder with mode 0700, the file with 0600. A file
// that others could read is closed to them. It fails, within a second, when another instance holds the file, and when
// the file is damaged; every record is read once to find out.
func Open(path string) (*Bolt, error) {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the store's folder: %w", err)
	}
	_, statErr := os.Stat(path)
	db, err := openFile(path)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("another instance uses the store %s: stop it, or give this one a store of its own", path)
	case isFileError(err):
		return nil, fmt.Errorf("opening the store: %w", err)
	case err != nil:
		return nil, fmt.Errorf("the store %s is damaged: move it away and restore a backup: %w", path, err)
	}
	if err := secure(path, folder, errors.Is(statErr, fs.ErrNotExist)); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the store: %w", err), db.Close())
	}
	return &Bolt{path: path, db: db, closed: make(chan struct{}), watchers: map[*watcher]struct{}{}}, nil
}

// Close waits for the calls under way, ends the watches and gives the file free. Later calls fail with [ErrClosed].
func (b *Bolt) Close() error {
	b.closing.Do(func() { close(b.closed) })
	if err := b.db.Close(); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}

// openFile verifies a file that is there already, then opens it for writing.
func openFile(path string) (*bbolt.DB, error) {
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		if err := verifyFile(path); err != nil {
			return nil, err
		}
	}
	db, err := bbolt.Open(path, 0o600, options(false))
	if err != nil {
		return nil, err
	}
	if err := db.Update(prepare); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func options(readOnly bool) *bbolt.Options {
	return &bbolt.Options{
		Timeout:      lockWait,
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
		ReadOnly:     readOnly,
	}
}

// prepare makes the buckets of a new file.
func prepare(tx *bbolt.Tx) error {
	meta, err := tx.CreateBucketIfNotExists(metaBucket)
	if err != nil {
		return err
	}
	if _, err := tx.CreateBucketIfNotExists(itemsBucket); err != nil {
		return err
	}
	return meta.Put(formatKey, formatValue)
}

// verifyFile reads the whole file. What bbolt answers to damage is often a panic, or a fault where the file is shorter
// than it says: both become errors here. It opens the file for reading only, because bbolt then reads nothing before
// the first transaction, so that there is always something to close and no lock is left behind.
func verifyFile(path string) (err error) {
	db, err := bbolt.Open(path, 0o600, options(true))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("reading its pages: %v", cause)
		}
	}()
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return db.View(func(tx *bbolt.Tx) error {
		if info.Size() < tx.Size() {
			return fmt.Errorf("it has %d bytes and should have %d", info.Size(), tx.Size())
		}
		return verify(tx)
	})
}

// verify reads every record. Only then does it let bbolt check its pages: that happens in a goroutine of bbolt's own,
// where a fault could not be caught.
func verify(tx *bbolt.Tx) error {
	meta, items := tx.Bucket(metaBucket), tx.Bucket(itemsBucket)
	if key, _ := tx.Cursor().First(); key == nil {
		return nil // its making was cut off before the first write
	}
	if meta == nil || items == nil {
		return errors.New("it is not a store of this program")
	}
	if format := meta.Get(formatKey); !bytes.Equal(format, formatValue) {
		return fmt.Errorf("its format is %q, not %q: was it written by a newer version?", format, formatValue)
	}
	err := items.ForEach(func(key, record []byte) error {
		_, err := decode(key, record)
		return err
	})
	if err != nil {
		return err
	}
	var damage error
	for err := range tx.Check() { // to the end, or its goroutine would stay
		if damage == nil {
			damage = err
		}
	}
	return damage
}

// secure takes the file away from other users, and makes a new file's name durable.
func secure(path, folder string, isNew bool) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(path, 0o600); err != nil {
			return err
		}
	}
	if !isNew {
		return nil
	}
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// isFileError tells the system's refusals (permission, a folder in the file's place, a full disk) from damage.
func isFileError(err error) bool {
	_, ok := errors.AsType[*fs.PathError](err)
	return ok
}

// begin refuses calls whose context is done or whose store is closed.
func (b *Bolt) begin(ctx context.Context) error {
	select {
	case <-b.closed:
		return ErrClosed
	default:
		return ctx.Err()
	}
}
