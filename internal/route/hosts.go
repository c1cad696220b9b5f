package route

import "slices"

// pageCount is in how many parts a hosts map is, of which a change copies one. It is 1<<8: pages go by a hash's first
// byte.
const pageCount = 256

// hosts is a hash map from a host to its tree of paths. Maps are immutable; an edit makes new ones, which share what
// did not change. (A Go map inside each page would be simpler, and read twice as many cache lines for each request.)
type hosts struct {
	len   int
	pages [pageCount]*page
}

// page is a hash table with linear probing, at most half full.
type page struct {
	born   uint64 // as node.born
	used   int
	places []place // their number is a power of two
}

// place is a host with its tree. Without a tree it is free.
type place struct {
	hash uint64
	host string
	tree *node
}

// get returns the tree of a host, or nil.
func (h *hosts) get(hash uint64, host string) *node {
	p := h.pages[hash>>56]
	if p == nil {
		return nil
	}
	return p.find(hash, host).tree
}

// find returns the place of a host, or the free one that it would get.
func (p *page) find(hash uint64, host string) *place {
	mask := uint64(len(p.places) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		at := &p.places[i]
		if at.tree == nil || at.hash == hash && at.host == host {
			return at
		}
	}
}

// change replaces the tree of a host by what f makes of it. Nil stands for no tree.
func (h *hosts) change(e *edit, hash uint64, host string, f func(*node) *node) {
	p := h.own(e, hash)
	at := p.find(hash, host)
	had := at.tree != nil
	*at = place{hash, host, f(at.tree)}
	switch {
	case !had && at.tree != nil:
		h.len++
		if p.used++; 2*p.used > len(p.places) {
			p.resize(2 * len(p.places))
		}
	case had && at.tree == nil:
		h.len--
		p.used--
		p.resize(len(p.places)) // others may have been placed further on because of it
	}
}

// own returns the page of a hash, or a copy of it that may be changed.
func (h *hosts) own(e *edit, hash uint64) *page {
	at := &h.pages[hash>>56]
	switch p := *at; {
	case p == nil:
		*at = &page{born: e.born, places: make([]place, 4)}
	case p.born != e.born:
		*at = &page{e.born, p.used, slices.Clone(p.places)}
	}
	return *at
}

// resize puts every host into its place among n.
func (p *page) resize(n int) {
	before := p.places
	p.places = make([]place, n)
	for _, x := range before {
		if x.tree != nil {
			*p.find(x.hash, x.host) = x
		}
	}
}
