package dynamic

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// metrics are what an expression may ask for: how many arguments each takes, and whether it is a number or only true or
// false.
type metrics map[string]metric

type metric struct {
	args  int
	check func(args []float64) error // nil: any
	flag  bool
}

// maxExpression bounds an expression, in bytes, and so how deep it is nested.
const maxExpression = 4096

// condition reads an expression such as "NetworkErrorRatio() > 0.3 || ResponseCodeRatio(500, 600, 0, 600) > 0.25". Its
// syntax is a part of Go's.
func (p place) condition(text string, known metrics) model.Condition {
	c, err := parseCondition(text, known)
	if err != nil {
		p.invalid("%s", err)
	}
	return c
}

func parseCondition(text string, known metrics) (model.Condition, error) {
	if len(text) > maxExpression {
		return model.Condition{}, fmt.Errorf("the expression is longer than %d bytes", maxExpression)
	}
	tree, err := parser.ParseExpr(text)
	if err != nil {
		return model.Condition{}, fmt.Errorf("the expression cannot be read: %w", err)
	}
	return known.condition(tree)
}

func (k metrics) condition(e ast.Expr) (model.Condition, error) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return k.condition(e.X)
	case *ast.UnaryExpr:
		if e.Op == token.NOT {
			of, err := k.condition(e.X)
			return model.Condition{Op: model.Not, Of: []model.Condition{of}}, err
		}
	case *ast.BinaryExpr:
		switch e.Op {
		case token.LAND:
			return k.both(model.All, e)
		case token.LOR:
			return k.both(model.Any, e)
		}
		return k.comparison(e)
	case *ast.CallExpr:
		c, m, err := k.call(e)
		if err == nil && !m.flag {
			err = fmt.Errorf("%s() is a number; compare it with another, such as %s() > 1", c.Metric, c.Metric)
		}
		return c, err
	}
	return model.Condition{}, errors.New("expected comparisons, joined by && and ||")
}

func (k metrics) both(op model.Op, e *ast.BinaryExpr) (model.Condition, error) {
	left, err := k.condition(e.X)
	if err != nil {
		return left, err
	}
	right, err := k.condition(e.Y)
	return model.Condition{Op: op, Of: []model.Condition{left, right}}, err
}

func (k metrics) comparison(e *ast.BinaryExpr) (model.Condition, error) {
	switch e.Op {
	case token.LSS, token.LEQ, token.EQL, token.NEQ, token.GEQ, token.GTR:
	default:
		return model.Condition{}, fmt.Errorf("%s compares nothing; it is one of <, <=, ==, !=, >= and >", e.Op)
	}
	call, ok := e.X.(*ast.CallExpr)
	if !ok {
		return model.Condition{}, fmt.Errorf("before %s there must be one of %s", e.Op, k)
	}
	c, m, err := k.call(call)
	if err != nil {
		return c, err
	}
	if m.flag {
		return c, fmt.Errorf("%s() is true or false; it cannot be compared", c.Metric)
	}
	c.Compare = model.Comparison(e.Op.String())
	c.Value, err = number(e.Y)
	return c, err
}

func (k metrics) call(e *ast.CallExpr) (model.Condition, metric, error) {
	name, ok := e.Fun.(*ast.Ident)
	if !ok {
		return model.Condition{}, metric{}, fmt.Errorf("expected one of %s", k)
	}
	m, ok := k[name.Name]
	c := model.Condition{Op: model.Is, Metric: name.Name}
	switch {
	case !ok:
		return c, m, fmt.Errorf("there is no %s(); there is %s", name.Name, k)
	case len(e.Args) != m.args:
		return c, m, fmt.Errorf("%s() takes %d arguments, not %d", name.Name, m.args, len(e.Args))
	}
	for _, arg := range e.Args {
		n, err := number(arg)
		if err != nil {
			return c, m, err
		}
		c.Args = append(c.Args, n)
	}
	if m.check != nil {
		if err := m.check(c.Args); err != nil {
			return c, m, fmt.Errorf("%s(): %w", name.Name, err)
		}
	}
	return c, m, nil
}

func number(e ast.Expr) (float64, error) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.INT && l.Kind != token.FLOAT {
		return 0, errors.New("expected a number")
	}
	return strconv.ParseFloat(l.Value, 64)
}

// String lists the metrics.
func (k metrics) String() string { return strings.Join(slices.Sorted(maps.Keys(k)), ", ") }
