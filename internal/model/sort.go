package model

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// sortObjects sorts a list that comes after another one, which is sorted, and returns what of it was not in that one;
// or all of it, where it was not in order.
//
// It sorts numbers in their place: ten thousand objects are all over the memory, and are compared a dozen times each. A
// number has what the names begin to differ with.
func sortObjects[T object](last, list []T) (fresh []T) {
	if fresh, ok := freshOf(last, list); ok {
		return fresh
	}
	type key struct {
		begin uint64
		index int
	}
	keys := make([]key, len(list))
	common := commonBegin(list)
	for i, o := range list {
		keys[i] = key{o.Ref().begin(common), i}
	}
	slices.SortFunc(keys, func(a, b key) int {
		if a.begin != b.begin {
			return cmp.Compare(a.begin, b.begin)
		}
		return list[a.index].Ref().Compare(list[b.index].Ref())
	})
	sorted := make([]T, len(list))
	for i, k := range keys {
		sorted[i] = list[k.index]
	}
	copy(list, sorted)
	return list
}

// freshOf returns what of a list is not in another one, which is sorted; false: the list is not. It looks at those
// objects only that the two do not have in the same order.
func freshOf[T object](last, list []T) (fresh []T, sorted bool) {
	known := true // the object before is in both
	for j, o := range list {
		next := len(last) > 0 && last[0] == o
		if !next {
			ref := o.Ref()
			for len(last) > 0 && last[0] != o && last[0].Ref().Compare(ref) < 0 {
				last = last[1:]
			}
		}
		if (!next || !known) && j > 0 && list[j-1].Ref().Compare(o.Ref()) > 0 {
			return nil, false
		}
		if known = len(last) > 0 && last[0] == o; known {
			last = last[1:]
		} else {
			fresh = append(fresh, o)
		}
	}
	return fresh, true
}

// commonBegin is how many bytes all objects' leading texts have in common.
func commonBegin[T object](list []T) int {
	first := list[0].Ref().leading()
	common := len(first)
	for _, o := range list[1:] {
		text := o.Ref().leading()
		common = min(common, len(text))
		for common > 0 && text[:common] != first[:common] {
			common--
		}
	}
	return common
}

// leading is the text that Compare looks at first.
func (r Ref) leading() string { return cmp.Or(r.Name.Namespace, r.Name.Name) }

// begin is a number: where those of two references differ, they are in the order of the two. Their leading texts have
// the same first bytes, so many as common says. Names without a namespace go first.
func (r Ref) begin(common int) uint64 {
	var b [8]byte
	if r.Name.Namespace != "" {
		b[0] = 1
	}
	copy(b[1:], r.leading()[common:])
	return binary.BigEndian.Uint64(b[:])
}
