package dynamic

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
)

// constraint says whether a workload is served.
type constraint func(*Workload) bool

// parseConstraint reads an expression such as "Label(`zone`, `a`) && !TagRegex(`^test`)". Its syntax is a part of Go's.
func parseConstraint(text string) (constraint, error) {
	if text == "" {
		return func(*Workload) bool { return true }, nil
	}
	if len(text) > maxExpression {
		return nil, fmt.Errorf("the expression is longer than %d bytes", maxExpression)
	}
	tree, err := parser.ParseExpr(text)
	if err != nil {
		return nil, fmt.Errorf("the expression cannot be read: %w", err)
	}
	return constraintOf(tree)
}

func constraintOf(e ast.Expr) (constraint, error) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return constraintOf(e.X)
	case *ast.UnaryExpr:
		if e.Op == token.NOT {
			of, err := constraintOf(e.X)
			return func(w *Workload) bool { return !of(w) }, err
		}
	case *ast.BinaryExpr:
		if e.Op == token.LAND || e.Op == token.LOR {
			return bothConstraints(e)
		}
	case *ast.CallExpr:
		return constraintTest(e)
	}
	return nil, errors.New("expected tests such as Label(`zone`, `a`), joined by && and ||")
}

func bothConstraints(e *ast.BinaryExpr) (constraint, error) {
	left, err := constraintOf(e.X)
	if err != nil {
		return nil, err
	}
	right, err := constraintOf(e.Y)
	if e.Op == token.LAND {
		return func(w *Workload) bool { return left(w) && right(w) }, err
	}
	return func(w *Workload) bool { return left(w) || right(w) }, err
}

func constraintTest(e *ast.CallExpr) (constraint, error) {
	name, _ := e.Fun.(*ast.Ident)
	var texts []string
	for _, arg := range e.Args {
		literal, ok := arg.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return nil, errors.New("tests take texts in back quotes or double quotes")
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	if name == nil {
		return nil, errors.New("the tests are Label, LabelRegex, Tag and TagRegex")
	}
	return namedConstraint(name.Name, texts)
}

func namedConstraint(name string, texts []string) (constraint, error) {
	takes := map[string]int{"Label": 2, "LabelRegex": 2, "Tag": 1, "TagRegex": 1}[name]
	switch {
	case takes == 0:
		return nil, fmt.Errorf("%s is no test; the tests are Label, LabelRegex, Tag and TagRegex", name)
	case len(texts) != takes:
		return nil, fmt.Errorf("%s takes %d texts", name, takes)
	}
	last := texts[takes-1]
	switch name {
	case "Label":
		return func(w *Workload) bool { return has(w.Labels, texts[0], func(v string) bool { return v == last }) }, nil
	case "Tag":
		return func(w *Workload) bool { return slices.Contains(w.Tags, last) }, nil
	}
	pattern, err := regexp.Compile(last)
	switch {
	case err != nil:
		return nil, err
	case name == "LabelRegex":
		return func(w *Workload) bool { return has(w.Labels, texts[0], pattern.MatchString) }, nil
	}
	return func(w *Workload) bool { return slices.ContainsFunc(w.Tags, pattern.MatchString) }, nil
}

func has(labels map[string]string, name string, fits func(string) bool) bool {
	value, ok := labels[name]
	return ok && fits(value)
}
