package model_test

import (
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

func TestCondition(t *testing.T) {
	leaf := func(compare model.Comparison, value float64) model.Condition {
		return model.Condition{Op: model.Is, Metric: "m", Compare: compare, Value: value}
	}
	op := func(op model.Op, of ...model.Condition) model.Condition { return model.Condition{Op: op, Of: of} }
	yes, no := leaf("==", 2), leaf("!=", 2)
	for name, c := range map[string]struct {
		of   model.Condition
		want bool
	}{
		"less": {leaf("<", 3), true}, "not less": {leaf("<", 2), false}, "at most": {leaf("<=", 2), true},
		"equal": {yes, true}, "not equal": {no, false}, "at least": {leaf(">=", 2), true}, "more": {leaf(">", 2), false},
		"true": {leaf("", 0), true}, "none": {model.Condition{}, true},
		"all": {op(model.All, yes, yes), true}, "not all": {op(model.All, yes, no), false},
		"any": {op(model.Any, no, yes), true}, "not any": {op(model.Any, no, no), false},
		"not": {op(model.Not, no), true}, "not not": {op(model.Not, op(model.Not, no)), false},
		"not of none": {op(model.Not), false},
	} {
		if got := c.of.Holds(func(string, []float64) float64 { return 2 }); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
