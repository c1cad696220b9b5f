package dynamic

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"

	"github.com/fairlead/fairlead/internal/model"
)

// claimTests are the tests of claims, with how many values each takes beside the name of the claim.
var claimTests = []struct {
	test        model.ClaimTest
	least, most int
}{
	{model.ClaimEquals, 1, 1},
	{model.ClaimPrefix, 1, 1},
	{model.ClaimContains, 1, 1},
	{model.ClaimSplit, 2, 2},
	{model.ClaimOneOf, 1, 100},
}

// claims reads an expression such as "Equals(`group`, `admin`) && !Contains(`roles`, `guest`)". Its syntax is that of
// rules, which is a part of Go's. "" always holds.
func (p place) claims(text string) model.Claims {
	if text == "" {
		return model.Claims{}
	}
	c, err := parseClaims(text)
	if err != nil {
		p.invalid("%s", err)
	}
	return c
}

func parseClaims(text string) (model.Claims, error) {
	if len(text) > maxExpression {
		return model.Claims{}, fmt.Errorf("the expression is longer than %d bytes", maxExpression)
	}
	tree, err := parser.ParseExpr(text)
	if err != nil {
		return model.Claims{}, fmt.Errorf("the expression cannot be read: %w", err)
	}
	return claimsOf(tree)
}

func claimsOf(e ast.Expr) (model.Claims, error) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return claimsOf(e.X)
	case *ast.UnaryExpr:
		if e.Op == token.NOT {
			of, err := claimsOf(e.X)
			return model.Claims{Op: model.Not, Of: []model.Claims{of}}, err
		}
	case *ast.BinaryExpr:
		switch e.Op {
		case token.LAND:
			return bothClaims(model.All, e)
		case token.LOR:
			return bothClaims(model.Any, e)
		}
	case *ast.CallExpr:
		return claimTest(e)
	}
	return model.Claims{}, errors.New("expected tests such as Equals(`group`, `admin`), joined by && and ||")
}

func bothClaims(op model.Op, e *ast.BinaryExpr) (model.Claims, error) {
	left, err := claimsOf(e.X)
	if err != nil {
		return left, err
	}
	right, err := claimsOf(e.Y)
	return model.Claims{Op: op, Of: []model.Claims{left, right}}, err
}

func claimTest(e *ast.CallExpr) (model.Claims, error) {
	name, _ := e.Fun.(*ast.Ident)
	var texts []string
	for _, arg := range e.Args {
		literal, ok := arg.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return model.Claims{}, errors.New("tests of claims take values in back quotes or double quotes")
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			return model.Claims{}, err
		}
		texts = append(texts, text)
	}
	for _, t := range claimTests {
		switch {
		case name == nil || name.Name != string(t.test):
		case len(texts) == 0 || texts[0] == "":
			return model.Claims{}, fmt.Errorf("%s takes the name of a claim first", t.test)
		case len(texts) <= t.least || len(texts)-1 > t.most || t.test == model.ClaimSplit && texts[1] == "":
			return model.Claims{}, fmt.Errorf("%s takes %d texts, the first of which is the name of a claim", t.test, t.least+1)
		default:
			return model.Claims{Op: model.Is, Test: t.test, Claim: texts[0], Values: texts[1:]}, nil
		}
	}
	return model.Claims{}, errors.New("the tests of claims are Equals, Prefix, Contains, SplitContains and OneOf")
}
