package access

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
)

var errConflict = errors.New("conflict")

// memory is a store in memory that several Keys may share, as replicas do. It can be told to fail.
type memory struct {
	mu        sync.Mutex
	items     map[string]Item
	version   uint64
	puts      int
	fail      error // of the next calls
	failPuts  error
	lostPuts  int // so many puts are done, but answer with an error
	beforePut func()
	watches   []chan string
}

func newMemory() *memory { return &memory{items: map[string]Item{}} }

func (m *memory) List(_ context.Context, prefix string) ([]Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []Item
	for key, item := range m.items {
		if strings.HasPrefix(key, prefix) {
			list = append(list, item)
		}
	}
	slices.SortFunc(list, func(a, b Item) int { return strings.Compare(a.Key, b.Key) })
	return list, m.fail
}

func (m *memory) Put(_ context.Context, key string, value []byte, ifVersion uint64) (uint64, error) {
	m.mu.Lock()
	before := m.beforePut
	m.beforePut = nil
	m.mu.Unlock()
	if before != nil {
		before()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := cmp.Or(m.fail, m.failPuts); err != nil {
		return 0, err
	}
	if m.items[key].Version != ifVersion {
		return 0, errConflict
	}
	m.puts++
	m.version++
	m.items[key] = Item{Key: key, Value: bytes.Clone(value), Version: m.version}
	m.tell(key)
	if m.lostPuts > 0 {
		m.lostPuts--
		return 0, errors.New("the answer was lost")
	}
	return m.version, nil
}

func (m *memory) delete(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.items, key)
	m.tell(key)
}

func (m *memory) tell(key string) {
	for _, watch := range m.watches {
		watch <- key
	}
}

func (m *memory) setFail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

// Watch has room for more than any test writes.
func (m *memory) Watch(ctx context.Context, prefix string) iter.Seq[string] {
	changes := make(chan string, 10_000)
	m.mu.Lock()
	m.watches = append(m.watches, changes)
	m.mu.Unlock()
	return func(yield func(string) bool) {
		for {
			select {
			case <-ctx.Done():
				return
			case key, ok := <-changes:
				if !ok || strings.HasPrefix(key, prefix) && !yield(key) {
					return
				}
			}
		}
	}
}

// endWatches ends them as a store does that is closed.
func (m *memory) endWatches() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, watch := range m.watches {
		close(watch)
	}
	m.watches = nil
}
