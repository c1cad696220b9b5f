package route

import (
	"slices"

	"github.com/fairlead/fairlead/internal/model"
)

// object is what snapshots list.
type object interface {
	comparable
	Ref() model.Ref
}

// walk calls f for each object of two sorted lists, in order, with its place in both; -1: it is not in that one. It
// looks into no object whose pointer is next in both.
func walk[T object](before, after []T, f func(i, j int)) {
	i, j := 0, 0
	for i < len(before) || j < len(after) {
		d := 0
		switch {
		case i == len(before):
			d = 1
		case j == len(after):
			d = -1
		case before[i] != after[j]:
			d = before[i].Ref().Compare(after[j].Ref())
		}
		switch {
		case d < 0:
			f(i, -1)
			i++
		case d > 0:
			f(-1, j)
			j++
		default:
			f(i, j)
			i, j = i+1, j+1
		}
	}
}

// eachChange calls f with the name of each object that is in one list only, or changed.
func eachChange[T object](before, after []T, f func(model.Name)) {
	if slices.Equal(before, after) {
		return
	}
	walk(before, after, func(i, j int) {
		switch {
		case i < 0:
			f(after[j].Ref().Name)
		case j < 0 || before[i] != after[j]:
			f(before[i].Ref().Name)
		}
	})
}
