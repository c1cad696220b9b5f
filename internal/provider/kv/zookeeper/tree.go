package zookeeper

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sync/errgroup"

	"github.com/fairlead/fairlead/internal/provider/kv"
)

// atOnce is how many nodes are asked for at once.
const atOnce = 64

// tree is what is known of the nodes from the root on.
type tree struct {
	conn *zk.Conn
	root string // "/traefik"

	mu    sync.Mutex
	nodes map[string]node
}

// node is what one holds. Both are watched from when they were read.
type node struct {
	text     string
	children []string // paths, sorted
}

func newTree(conn *zk.Conn, root string) *tree {
	return &tree{conn: conn, root: root, nodes: map[string]node{}}
}

// texts returns what the nodes hold, by their keys below the root. A node without a text is a folder.
func (t *tree) texts() map[string]string {
	texts := make(map[string]string, len(t.nodes))
	for path, n := range t.nodes {
		if key, ok := kv.Below(t.root, path); ok && n.text != "" {
			texts[key] = n.text
		}
	}
	return texts
}

// readAll reads all nodes.
func (t *tree) readAll(ctx context.Context, events *queue) error {
	if err := t.walk(ctx, []string{t.root}); err != nil {
		return err
	}
	return t.update(ctx, events)
}

// update reads what changed, until nothing more has.
func (t *tree) update(ctx context.Context, events *queue) error {
	for {
		heard, err := events.take()
		if err != nil || len(heard) == 0 {
			return err
		}
		for _, e := range heard {
			if err := t.hear(ctx, e); err != nil {
				return err
			}
		}
	}
}

// hear reads again what an event is about. What came in the place of a node that is gone is found among its parent's
// children, whose event comes after; the root has no parent.
func (t *tree) hear(ctx context.Context, e zk.Event) error {
	_, known := t.nodes[e.Path]
	switch {
	case e.Path == t.root && (e.Type == zk.EventNodeCreated || e.Type == zk.EventNodeDeleted):
		t.forget(t.root)
		return t.walk(ctx, []string{t.root})
	case e.Type == zk.EventNodeDeleted:
		t.forget(e.Path)
	case !known: // it was read, and watched, before it was forgotten
	case e.Type == zk.EventNodeDataChanged:
		return t.readText(e.Path)
	case e.Type == zk.EventNodeChildrenChanged:
		before := t.nodes[e.Path].children
		if err := t.readChildren(e.Path); err != nil {
			return err
		}
		return t.compare(ctx, before, t.nodes[e.Path].children)
	}
	return nil
}

// compare forgets children that are gone and reads those that are new.
func (t *tree) compare(ctx context.Context, before, after []string) error {
	for _, path := range before {
		if _, found := slices.BinarySearch(after, path); !found {
			t.forget(path)
		}
	}
	return t.walk(ctx, slices.DeleteFunc(slices.Clone(after), func(path string) bool {
		_, known := t.nodes[path]
		return known
	}))
}

// forget drops a node and all below it.
func (t *tree) forget(path string) {
	maps.DeleteFunc(t.nodes, func(p string, _ node) bool { return p == path || strings.HasPrefix(p, path+"/") })
}

// walk reads these nodes and all below them, level by level.
func (t *tree) walk(ctx context.Context, level []string) error {
	for len(level) > 0 {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(atOnce)
		for _, path := range level {
			group.Go(func() error {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return errors.Join(t.readText(path), t.readChildren(path))
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		var next []string
		for _, path := range level {
			next = append(next, t.nodes[path].children...)
		}
		level = next
	}
	return nil
}

// readText reads what a node holds, and watches it. One that is gone is no mistake: its parent's event comes.
func (t *tree) readText(path string) error {
	data, _, _, err := t.conn.GetW(path)
	if errors.Is(err, zk.ErrNoNode) {
		return t.missing(path, t.readText)
	}
	if err != nil {
		return err
	}
	t.set(path, func(n *node) { n.text = string(data) })
	return nil
}

func (t *tree) readChildren(path string) error {
	names, _, _, err := t.conn.ChildrenW(path)
	if errors.Is(err, zk.ErrNoNode) {
		return t.missing(path, t.readChildren)
	}
	if err != nil {
		return err
	}
	slices.Sort(names)
	for i := range names {
		names[i] = path + "/" + names[i]
	}
	t.set(path, func(n *node) { n.children = names })
	return nil
}

// missing watches for the root where there is none. If it is there after all, it is read.
func (t *tree) missing(path string, read func(string) error) error {
	if path != t.root {
		return nil
	}
	found, _, _, err := t.conn.ExistsW(path)
	if err != nil || !found {
		return err
	}
	return read(path)
}

func (t *tree) set(path string, change func(*node)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.nodes[path]
	change(&n)
	t.nodes[path] = n
}
