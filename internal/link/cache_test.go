package link

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// memoryCache is a Cache that counts.
type memoryCache struct {
	mu    sync.Mutex
	data  []byte
	fails error
	full  bool
	saves int
}

func (c *memoryCache) Load() ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.data, c.fails
}

func (c *memoryCache) Save(data []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.saves++
	if c.full {
		return errors.New("no space left on the disk")
	}
	c.data, c.fails = data, nil
	return nil
}

// count returns how often the cache was to be saved.
func (c *memoryCache) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.saves
}

func (c *memoryCache) setFull(full bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.full = full
}

func TestFileCache(t *testing.T) {
	dir := t.TempDir()
	c := FileCache(filepath.Join(dir, "fra"))
	data, err := c.Load()
	equal(t, "before the first save", text(data == nil, err), "true <nil>")
	for _, want := range []string{"one\nand more", "two"} {
		if err := c.Save([]byte(want)); err != nil {
			t.Fatal(err)
		}
		data, err = c.Load()
		equal(t, "loaded", text(string(data), err), want+" <nil>")
	}
	info, err := os.Stat(string(c))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "mode", info.Mode(), fs.FileMode(0o600))
	files, _ := os.ReadDir(dir)
	equal(t, "files left", len(files), 1)

	good, _ := os.ReadFile(string(c))
	for name, damaged := range map[string][]byte{
		"empty": {}, "cut off": good[:len(good)-1], "head only": good[:20], "longer": append(bytes.Clone(good), 'x'),
		"a bit":        bytes.Replace(good, []byte("two"), []byte("twn"), 1),
		"other format": bytes.Replace(good, []byte("cache 1"), []byte("cache 2"), 1),
	} {
		if err := os.WriteFile(string(c), damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Load(); !errors.Is(err, errDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := FileCache(filepath.Join(dir, "none", "x")).Save(nil); err == nil {
		t.Error("saved into a folder that is not there")
	}
	if _, err := FileCache(dir).Load(); err == nil {
		t.Error("loaded a folder")
	}
}

func TestRestartWhileCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache := &memoryCache{}
		with := func(o *FollowerOptions) { o.Cache = cache }
		c := newCluster("fra")
		c.has("shop", 1, 2)
		c.Publish(snapshot(route("shop"), route("blog")))
		stopCluster := start(c.Run)
		net := &memory{hosts: map[string]*host{"x:1": c.host}}
		e := newEdge(net, with, "x:1")
		stop := e.run()
		wait(0)
		claimed := e.route("shop").Since
		for i := range 10 { // one save a second, however many changes
			c.Publish(snapshot(route("shop"), route("blog"), route(string(rune('a'+i)))))
			wait(100 * time.Millisecond)
		}
		if n := cache.count(); n > 2 {
			t.Errorf("%d saves in a second", n)
		}
		_ = stop()

		// Restarted while the cluster cannot be reached, and with a smaller grant.
		wait(time.Hour)
		c.host.set(func(h *host) { h.refuses = true })
		e = newEdge(net, func(o *FollowerOptions) { with(o); o.Grant.Hosts = []string{"shop.example", "j.example"} }, "x:1")
		err := e.Run(t.Context(), e.publish)
		if err == nil {
			t.Error("connected")
		}
		equal(t, "served from the cache", e.names(), "j shop")
		equal(t, "claimed", e.route("shop").Since, claimed)
		_, _, known := e.Capacity(model.ParseName("shop"))
		equal(t, "capacity known", known, false)
		_ = e.Run(t.Context(), e.publish)
		_, n := e.got()
		equal(t, "published by two runs", n, 1)

		// The cluster is back: the state is resumed.
		kept := e.route("shop")
		c.host.set(func(h *host) { h.refuses = false })
		c.host.said()
		stop = e.run()
		wait(0)
		if said := c.host.said(); strings.Contains(said, "reset") || !strings.Contains(said, "synced") {
			t.Errorf("not resumed:\n%s", said)
		}
		_, n = e.got()
		equal(t, "published", n, 2)
		equal(t, "pointer", e.route("shop"), kept)
		ready, total, known := e.Capacity(model.ParseName("shop"))
		equal(t, "capacity", text(ready, total, known), "1 2 true")
		_, _ = stop(), stopCluster()
	})
}

func TestCacheThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache := &memoryCache{full: true}
		c := newCluster("fra")
		c.Publish(snapshot(route("shop")))
		stopCluster := start(c.Run)
		e := newEdge(&memory{hosts: map[string]*host{"x:1": c.host}}, func(o *FollowerOptions) { o.Cache = cache }, "x:1")
		stop := e.run()
		wait(retrySave - time.Second)
		equal(t, "served", e.names(), "shop")
		equal(t, "attempts", cache.count(), 1)
		cache.setFull(false)
		wait(2 * time.Second)
		data, _ := cache.Load()
		equal(t, "saved", text(cache.count(), len(data) > 0), "2 true")
		_, _ = stop(), stopCluster()
	})
}

func TestCacheThatCannotBeUsed(t *testing.T) {
	for name, test := range map[string]struct {
		cache *memoryCache
		want  string
	}{
		"damaged":       {&memoryCache{fails: errDamaged}, "damaged"},
		"not JSON":      {&memoryCache{data: []byte("x")}, "decoding"},
		"other format":  {&memoryCache{data: []byte(`{"version":2}`)}, "format 2"},
		"other cluster": {&memoryCache{data: []byte(`{"version":1,"cluster":"par"}`)}, "par"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster("fra")
				c.Publish(snapshot(route("shop")))
				stopCluster := start(c.Run)
				c.host.set(func(h *host) { h.refuses = true })
				e := newEdge(&memory{hosts: map[string]*host{"x:1": c.host}},
					func(o *FollowerOptions) { o.Cache = test.cache }, "x:1")
				_ = e.Run(t.Context(), e.publish)
				equal(t, "published", e.names(), "nothing")
				c.host.set(func(h *host) { h.refuses = false })
				var first *model.Snapshot
				stop := start(func(ctx context.Context) error {
					return e.Run(ctx, func(s model.Snapshot) {
						if first == nil {
							first = &s
						}
						e.publish(s)
					})
				})
				wait(0)
				if len(first.Problems) != 1 || !strings.Contains(first.Problems[0].String(), test.want) {
					t.Errorf("problems %v", first.Problems)
				}
				equal(t, "served", e.names(), "shop")
				wait(2 * time.Second)
				last, _ := e.got()
				equal(t, "problems once it is saved", len(last.Problems), 0)
				_, _ = stop(), stopCluster()
			})
		})
	}
}
