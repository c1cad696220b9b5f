package model

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// sortObjects sorts a list that comes after another one, and returns the part of it that holds all that was not in that
// one. What both begin with and end with is in order as it is.
//
// It sorts numbers in their place: ten thousand objects are all over the memory, and are compared a dozen times each. A
// number has what the names begin to differ with.
func sortObjects[T object](last, list []T) (fresh []T) {
	from, to := 0, len(list)
	for from < min(len(last), to) && last[from] == list[from] {
		from++
	}
	for end := len(last); to > from && end > from && last[end-1] == list[to-1]; end-- {
		to--
	}
	around := list[max(from-1, 0):min(to+1, len(list))]
	if slices.IsSortedFunc(around, func(a, b T) int { return a.Ref().Compare(b.Ref()) }) {
		return list[from:to]
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
