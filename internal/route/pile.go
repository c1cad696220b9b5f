package route

import "github.com/fairlead/fairlead/internal/model"

// piles are where a build takes what its table will keep.
type piles struct {
	size        int // of chunks
	candidates  pile[candidate]
	entries     pile[entry]
	rules       pile[Rule]
	backends    pile[Backend]
	middlewares pile[*model.Middleware]
	uses        pile[uint32]
	nodes       pile[node]
	lists       pile[*candidate]
}

// pile hands out short slices of one chunk after another, so that thousands of routes are compiled with few
// allocations. A chunk lives as long as one of its slices does: of what a large Compile made, all may stay until the
// last part of it was replaced, but never more than all.
type pile[T any] struct{ rest []T }

// newPiles makes the piles for a build of n routes.
func newPiles(n int) *piles { return &piles{size: min(n, 64)} }

// take returns n zero values, from chunks of at least size.
func (p *pile[T]) take(n, size int) []T {
	if n > len(p.rest) {
		p.rest = make([]T, max(n, size))
	}
	taken := p.rest[:n:n]
	p.rest = p.rest[n:]
	return taken
}

// one returns one zero value.
func (p *pile[T]) one(size int) *T { return &p.take(1, size)[0] }

// keep returns a copy of list; nil for an empty one.
func (p *pile[T]) keep(list []T, size int) []T {
	if len(list) == 0 {
		return nil
	}
	kept := p.take(len(list), size)
	copy(kept, list)
	return kept
}
