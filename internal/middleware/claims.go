package middleware

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4/json"
	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/model"
)

// claims is what a token, or the server that issued it, says of the client. Numbers are as they were written.
type claims map[string]any

// parseClaims reads a JSON object. Names are compared with their case, and none may be there twice: whoever reads the
// token after us might take the other (RFC 7519 §4).
func parseClaims(data []byte) (claims, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.SetNumberType(json.UnmarshalJSONNumber)
	var c claims
	if err := d.Decode(&c); err != nil {
		return nil, err
	}
	if c == nil {
		return nil, errors.New("no object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return c, nil
}

// claimPath is the name of a claim, from the outermost object on.
type claimPath []string

// newClaimPath divides a name at its dots, except those behind a backslash.
func newClaimPath(name string) (path claimPath) {
	var part strings.Builder
	for i := 0; i < len(name); i++ {
		switch {
		case name[i] == '\\' && i+1 < len(name) && name[i+1] == '.':
			i++
			part.WriteByte('.')
		case name[i] == '.':
			path = append(path, part.String())
			part.Reset()
		default:
			part.WriteByte(name[i])
		}
	}
	return append(path, part.String())
}

// at returns nil where there is no such claim.
func (c claims) at(path claimPath) any {
	value := any(map[string]any(c))
	for _, name := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[name]
	}
	return value
}

// text returns a claim that is a string.
func (c claims) text(name string) string {
	s, _ := c[name].(string)
	return s
}

// scalar is false for lists, objects and null.
func scalar(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case fmt.Stringer: // a number, as it was written
		return v.String(), true
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	}
	return "", false
}

// claimTest reports whether the claims are as they must be.
type claimTest func(claims) bool

// newClaimTest makes what a definition says. Names of claims are divided once.
func newClaimTest(spec model.Claims) claimTest {
	var of []claimTest
	for _, c := range spec.Of {
		of = append(of, newClaimTest(c))
	}
	switch spec.Op {
	case model.All:
		return func(c claims) bool { return !slices.ContainsFunc(of, func(t claimTest) bool { return !t(c) }) }
	case model.Any:
		return func(c claims) bool { return slices.ContainsFunc(of, func(t claimTest) bool { return t(c) }) }
	case model.Not:
		return func(c claims) bool { return len(of) > 0 && !of[0](c) }
	}
	path := newClaimPath(spec.Claim)
	return func(c claims) bool { return holds(spec.Test, c.at(path), spec.Values) }
}

func holds(test model.ClaimTest, claim any, values []string) bool {
	if len(values) == 0 {
		return false
	}
	if test == model.ClaimContains {
		list, _ := claim.([]any)
		return slices.ContainsFunc(list, func(item any) bool {
			text, ok := scalar(item)
			return ok && text == values[0]
		})
	}
	text, ok := scalar(claim)
	if !ok {
		return false
	}
	switch test {
	case model.ClaimEquals, model.ClaimOneOf:
		return slices.Contains(values, text)
	case model.ClaimPrefix:
		return strings.HasPrefix(text, values[0])
	case model.ClaimSplit:
		return len(values) > 1 && slices.Contains(strings.Split(text, values[0]), values[1])
	}
	return false
}

// claimUse is what is done with claims.
type claimUse struct {
	allows  claimTest
	forward []forwardedClaim
}

type forwardedClaim struct {
	field string // canonical
	claim claimPath
}

func newClaimUse(kind string, spec model.ClaimUse) (*claimUse, error) {
	u := &claimUse{allows: newClaimTest(spec.Claims)}
	for name, claim := range spec.Forward {
		field, err := identityName(kind+".forwardHeaders", name)
		if err != nil {
			return nil, err
		}
		u.forward = append(u.forward, forwardedClaim{field, newClaimPath(claim)})
	}
	return u, nil
}

// removeIdentity removes what the client says of its own claims.
func (u *claimUse) removeIdentity(h http.Header) {
	for _, f := range u.forward {
		removeIdentity(h, f.field)
	}
}

// tell tells the claims to the service.
func (u *claimUse) tell(h http.Header, c claims) {
	for _, f := range u.forward {
		if text := fieldText(c.at(f.claim)); text != "" && httpguts.ValidHeaderFieldValue(text) {
			h[f.field] = []string{text}
		}
	}
}

// fieldText writes a list of plain values with commas between, and what else is no plain value as JSON.
func fieldText(value any) string {
	if text, ok := scalar(value); ok || value == nil {
		return text
	}
	var texts []string
	list, plain := value.([]any)
	for _, item := range list {
		text, ok := scalar(item)
		plain = plain && ok && !strings.Contains(text, ",") // else one item could pass for two
		texts = append(texts, text)
	}
	if plain {
		return strings.Join(texts, ",")
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}
