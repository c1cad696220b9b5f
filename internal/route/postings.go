package route

import "slices"

// postings says which slots have to do with a hash: sorted pairs, the hash in the upper half, the slot in the lower.
// Two things of one hash only mean that a slot is looked at in vain.
type postings []uint64

func posting(hash uint32, slot int32) uint64 { return uint64(hash)<<32 | uint64(uint32(slot)) }

func hashOf(posting uint64) uint32 { return uint32(posting >> 32) }
func slotOf(posting uint64) int32  { return int32(uint32(posting)) }

// of returns the pairs of a hash.
func (p postings) of(hash uint32) postings {
	pairs, _ := p.cut(hash)
	return pairs
}

// cut returns the pairs of a hash, and those of higher hashes.
func (p postings) cut(hash uint32) (pairs, rest postings) {
	if len(p) > 0 && hashOf(p[0]) != hash { // often they are the first
		start, _ := slices.BinarySearch(p, posting(hash, 0))
		p = p[start:]
	}
	n := 0
	for n < len(p) && hashOf(p[n]) == hash {
		n++
	}
	return p[:n], p[n:]
}

// replace returns p with the changes made. It sorts them.
func (p postings) replace(c changes) postings {
	removed, added := c.gone, c.came
	slices.Sort(removed)
	slices.Sort(added)
	if slices.Equal(removed, added) {
		return p
	}
	out := make(postings, 0, len(p)+len(added))
	for _, pair := range p {
		for len(added) > 0 && added[0] < pair {
			out, added = append(out, added[0]), added[1:]
		}
		for len(removed) > 0 && removed[0] < pair {
			removed = removed[1:]
		}
		if len(removed) == 0 || removed[0] != pair {
			out = append(out, pair)
		}
	}
	return slices.Compact(append(out, added...))
}
