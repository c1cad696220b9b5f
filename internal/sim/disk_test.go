package sim

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"sync"
	"time"
)

// disk keeps what one edge knows of one cluster. It outlives the edge.
type disk struct {
	mu      sync.Mutex
	data    []byte
	sum     [sha256.Size]byte // of what was written
	spoiled bool              // since it was written
}

// spoil does what happens to disks: "flip" changes a byte, which the sum shows; "truncate" leaves a half that a sum
// made afterwards calls good; "lose" takes the file away.
func (d *disk) spoil(how string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.data) == 0 {
		return
	}
	d.data, d.spoiled = bytes.Clone(d.data), true
	switch how {
	case "flip":
		d.data[len(d.data)/2] ^= 0x20
	case "truncate":
		d.data = d.data[:len(d.data)/2]
		d.sum = sha256.Sum256(d.data)
	case "lose":
		d.data = nil
	}
}

// written is what a good disk holds, as far as the sim reads it.
type written struct {
	Epoch  string
	Routes []struct {
		Route struct {
			Name     string
			Timeouts struct{ TotalMs int }
		}
		Since time.Time
	}
}

// content returns what the disk holds; nil: nothing, or nothing that can be used.
func (d *disk) content() *written {
	d.mu.Lock()
	defer d.mu.Unlock()
	var w written
	if d.data == nil || sha256.Sum256(d.data) != d.sum || json.Unmarshal(d.data, &w) != nil {
		return nil
	}
	return &w
}

func (d *disk) isSpoiled() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.spoiled
}

// damaged reports whether there is something that cannot be used.
func (d *disk) damaged() bool {
	w := d.content()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.data != nil && w == nil
}

// mount is a disk as one life of an edge sees it; it implements link.Cache.
type mount struct {
	*disk
	w    *world
	gone bool
}

func (d *disk) mount(w *world) *mount { return &mount{disk: d, w: w} }

var (
	errDamaged = errors.New("the sum is wrong")
	errGone    = errors.New("no such device")
)

func (m *mount) unmount() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gone = true
}

func (m *mount) Load() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.data != nil && sha256.Sum256(m.data) != m.sum {
		return nil, errDamaged
	}
	return m.data, nil
}

func (m *mount) Save(data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone {
		return errGone
	}
	m.w.secretFree("a disk", data)
	if m.w.hooks.disk != nil {
		data = m.w.hooks.disk(data)
	}
	m.data, m.sum, m.spoiled = data, sha256.Sum256(data), false
	return nil
}
