package link

import (
	"bytes"
	"cmp"
	"container/list"
	"slices"

	"github.com/fairlead/fairlead/internal/model"
)

// changes is the log that all watchers read. Each object stands in it once, at its latest revision, so it is as long
// as there are objects, and a reader that comes late sees the newest value only. What was deleted stays as a mark, for
// those that resume; there are at most maxMarks of these.
type changes struct {
	rev      uint64     // of the last change
	next     uint64     // of the changes that are being made
	base     uint64     // what changed up to here is not all in the log any more
	order    *list.List // of *entry, by rev
	entries  map[key]*entry
	marks    []mark // deletions, oldest first; some may have been undone since
	maxMarks int
}

type key struct{ kind, name string }

func (k key) compare(o key) int {
	// Services before routes: a follower knows a service before what leads to it.
	return cmp.Or(-cmp.Compare(k.kind, o.kind), cmp.Compare(k.name, o.name))
}

type entry struct {
	key
	object   []byte // JSON; nil: deleted
	capacity Service
	set      uint64 // revision of the object
	rev      uint64 // of the object or of its capacity, the later
	place    *list.Element
}

type mark struct {
	*entry
	rev uint64
}

// change is an entry as it was when it was read.
type change struct {
	key
	rev      uint64
	object   []byte // JSON; nil: deleted
	measured bool   // only the capacity changed since the reader's revision
	capacity Service
}

func newChanges(maxMarks int) *changes {
	return &changes{order: list.New(), entries: map[key]*entry{}, maxMarks: maxMarks}
}

// begin starts a revision. Everything that changes until the next begin has the same one.
func (c *changes) begin() { c.next = c.rev + 1 }

// put records a route, unless it is the same as before.
func (c *changes) put(k key, object []byte) {
	e := c.entry(k)
	if bytes.Equal(e.object, object) {
		return
	}
	e.object, e.set = object, c.next
	c.touch(e)
}

// putService records a service that was not known.
func (c *changes) putService(s Service) {
	e := c.entry(key{model.KindService, s.Name})
	e.object, e.capacity, e.set = encode(s), s, c.next
	c.touch(e)
}

// measure records the capacity of a service, if it is known and differs.
func (c *changes) measure(s Service) {
	e := c.entries[key{model.KindService, s.Name}]
	if e == nil || e.object == nil || e.capacity == s {
		return
	}
	e.object, e.capacity = encode(s), s
	c.touch(e)
}

// remove records that an object is gone.
func (c *changes) remove(k key) {
	e := c.entries[k]
	if e == nil || e.object == nil {
		return
	}
	e.object, e.set = nil, c.next
	c.touch(e)
	c.marks = append(c.marks, mark{e, e.rev})
	for len(c.marks) > c.maxMarks {
		oldest := c.marks[0]
		c.marks = c.marks[1:]
		if oldest.object == nil && oldest.entry.rev == oldest.rev {
			c.order.Remove(oldest.place)
			delete(c.entries, oldest.key)
			c.base = oldest.rev
		}
	}
}

func (c *changes) entry(k key) *entry {
	e := c.entries[k]
	if e == nil {
		e = &entry{key: k}
		e.place = c.order.PushBack(e)
		c.entries[k] = e
	}
	return e
}

func (c *changes) touch(e *entry) {
	e.rev = c.next
	c.rev = c.next
	c.order.MoveToBack(e.place)
}

// after returns what changed since revision seen, in the order of the changes.
func (c *changes) after(seen uint64) []change {
	var out []change
	for at := c.order.Back(); at != nil; at = at.Prev() {
		e := at.Value.(*entry)
		if e.rev <= seen {
			break
		}
		out = append(out, change{e.key, e.set, e.object, e.set <= seen, e.capacity})
	}
	slices.Reverse(out)
	return out
}

// all returns every live object, services first, by name.
func (c *changes) all() []change {
	out := make([]change, 0, len(c.entries))
	for _, e := range c.entries {
		if e.object != nil {
			out = append(out, change{e.key, e.set, e.object, false, e.capacity})
		}
	}
	slices.SortFunc(out, func(a, b change) int { return a.key.compare(b.key) })
	return out
}
