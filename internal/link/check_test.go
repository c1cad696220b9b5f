package link

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

func nested(depth int) model.Match {
	m := model.Leaf(model.Host, "a.example")
	for range depth - 1 {
		m = model.Match{Of: []model.Match{m}}
	}
	return m
}

func withKey(test model.Test, key, value string) model.Match {
	return model.Match{Op: model.Is, Test: test, Key: key, Value: value}
}

func TestCheckMatch(t *testing.T) {
	leaf := model.Leaf
	wide := func(n int) model.Match {
		return model.Match{Op: model.Any, Of: slices.Repeat([]model.Match{leaf(model.Path, "/")}, n)}
	}
	for name, test := range map[string]struct {
		m    model.Match
		want string // "" means good
	}{
		"everything":          {model.Match{}, ""},
		"depth at the limit":  {nested(maxDepth), ""},
		"too deep":            {nested(maxDepth + 1), "nested deeper"},
		"nodes at the limit":  {wide(maxNodes - 1), ""},
		"too many nodes":      {wide(maxNodes), "more than 1000 tests"},
		"unknown operation":   {model.Match{Op: "xor"}, `unknown operation "xor"`},
		"not of nothing":      {model.Match{Op: model.Not}, "other than one operand"},
		"not of two":          {model.Match{Op: model.Not, Of: make([]model.Match, 2)}, "other than one operand"},
		"test with operands":  {model.Match{Op: model.Is, Test: model.Path, Of: make([]model.Match, 1)}, "operands"},
		"operation and value": {model.Match{Op: model.Any, Value: "x"}, "has a value"},
		"unknown test":        {leaf("Moon", "full"), "unknown test"},
		"host":                {leaf(model.Host, "a-b_c.example"), ""},
		"wildcard host":       {leaf(model.Host, "*.a.example"), ""},
		"IPv6 host":           {leaf(model.Host, "[::1]"), ""},
		"empty host":          {leaf(model.Host, ""), "not a host name"},
		"star":                {leaf(model.Host, "*"), "not a host name"},
		"inner star":          {leaf(model.Host, "a.*.example"), "not a host name"},
		"two stars":           {leaf(model.Host, "*.*.example"), "not a host name"},
		"upper case host":     {leaf(model.Host, "A.example"), "not a host name"},
		"empty label":         {leaf(model.Host, "a..example"), "not a host name"},
		"dot in front":        {leaf(model.Host, "*..example"), "not a host name"},
		"host with a space":   {leaf(model.Host, "a b"), "not a host name"},
		"path":                {leaf(model.Path, "/x y/ä"), ""},
		"path without slash":  {leaf(model.PathPrefix, "x"), "does not begin with /"},
		"method":              {leaf(model.Method, "GET"), ""},
		"lower-case method":   {leaf(model.Method, "get"), "upper case"},
		"header":              {withKey(model.Header, "X-Id", ""), ""},
		"header, other form":  {withKey(model.Header, "x-id", "1"), "canonical"},
		"header without name": {withKey(model.HeaderRegexp, "", "1"), "canonical"},
		"query":               {withKey(model.Query, "q", "1"), ""},
		"query without name":  {withKey(model.QueryRegexp, "", "1"), "name is missing"},
		"path with key":       {withKey(model.Path, "q", "/"), "takes no key"},
		"address":             {leaf(model.ClientIP, "10.0.0.1"), ""},
		"range":               {leaf(model.ClientIP, "2001:db8::/32"), ""},
		"no address":          {leaf(model.ClientIP, "10.0.0"), "neither an address"},
		"expression":          {leaf(model.HostRegexp, `^[a-z0-9-]+\.a\.example$`), ""},
		"broken expression":   {leaf(model.PathRegexp, `(`), "missing closing )"},
		"long value":          {leaf(model.Path, "/"+strings.Repeat("x", maxText)), "longer than"},
		"large expression":    {leaf(model.PathRegexp, strings.Repeat(`(x{10}){100}`, 10)), "grow beyond"},
		"large class":         {leaf(model.PathRegexp, strings.Repeat(`\pL`, 20)), ""},
		"large together": {model.Match{Of: slices.Repeat([]model.Match{leaf(model.PathRegexp, `x{1000}`)}, 11)},
			"grow beyond"},
	} {
		f := checkMatch(test.m, model.LaneHTTP)
		got := ""
		if f != nil {
			got = f.Error()
		}
		if (test.want == "") != (f == nil) || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestDecodeRoute(t *testing.T) {
	for name, test := range map[string]struct{ raw, want string }{
		"good":             {`{"name":"a/b","service":"s","priority":3,"later":{"x":1}}`, ""},
		"not an object":    {`7`, "cannot be read"},
		"null":             {`null`, "a name is missing"},
		"no name":          {`{"service":"s"}`, "name: a name is missing"},
		"no service":       {`{"name":"a"}`, "service: a name is missing"},
		"name with @":      {`{"name":"a@b","service":"s"}`, "visible ASCII"},
		"name with a line": {`{"name":"a","service":"s\r\nX: y"}`, "visible ASCII"},
		"slash in front":   {`{"name":"/a","service":"s"}`, "not of the form"},
		"slash at the end": {`{"name":"a/","service":"s"}`, "not of the form"},
		"long name":        {`{"name":"` + strings.Repeat("x", maxName+1) + `","service":"s"}`, "longer than"},
		"timeout":          {`{"name":"a","service":"s","timeouts":{"headerMs":-1}}`, "timeouts"},
		"endless timeout":  {`{"name":"a","service":"s","timeouts":{"totalMs":9223372036854775807}}`, "timeouts"},
		"entry points":     {`{"name":"a","service":"s","entryPoints":[""]}`, "entryPoints"},
		"many entry points": {`{"name":"a","service":"s","entryPoints":["x"` + strings.Repeat(`,"x"`, maxPoints) + `]}`,
			"entryPoints"},
		"huge priority": {`{"name":"a","service":"s","priority":1e99}`, "cannot be read"},
	} {
		r, err := decodeRoute([]byte(test.raw))
		if test.want == "" {
			equal(t, name, text(r.Name, r.Service, r.Priority, err), "a/b s 3 <nil>")
			continue
		}
		var f *fault
		if !errors.As(err, &f) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func TestBadObjectsLeaveOthersServed(t *testing.T) {
	s, err := feed(t, everything, strings.Join([]string{
		`{"hello":{"version":1,"cluster":"c","epoch":"e"}}`,
		`{"reset":true}`,
		`{"rev":1,"set":{"service":{"name":"s","ready":3,"total":2}}}`,
		`{"rev":1,"set":{"route":{"name":"good","service":"s","match":{"op":"is","test":"Host","value":"a.example"}}}}`,
		`{"rev":1,"set":{"route":{"name":"b","service":"s"}}}`,
		`{"rev":1,"set":{"route":{"name":"/b","service":"s"}}}`,
		`{"rev":1,"set":{"route":{"name":"worse","service":"s","match":{"op":"is","test":"Moon","value":"full"}}}}`,
		`{"rev":1,"set":{"route":{"name":"wrong","service":"s","tls":"yes"}}}`,
		`{"rev":1,"set":{}}`,
		`{"rev":1,"synced":true}`,
		`{"rev":2,"del":{"route":"/b"}}`,
		`{"rev":2,"synced":true}`,
	}, "\n"))
	if err == nil || !strings.Contains(err.Error(), "ended the stream") {
		t.Error(err)
	}
	var names []string
	for _, r := range s.Routes {
		names = append(names, r.Name.Name)
	}
	equal(t, "served", strings.Join(names, " "), "b good")
	var problems []string
	for _, p := range s.Problems {
		problems = append(problems, text(p.Object, p.Code))
	}
	equal(t, "problems", strings.Join(problems, ", "),
		"route worse@link/fra invalid_rule, route wrong@link/fra invalid_field, service s@link/fra invalid_field")
}

func TestTooMuch(t *testing.T) {
	k := newKnown(FollowerOptions{Cluster: "fra", Grant: everything})
	b := newBatch(true)
	for i := range maxObjects {
		name := fmt.Sprint("s", i)
		b.services[name] = &knownService{Service: Service{Name: name}}
	}
	equal(t, "at the limit", k.apply(b, time.Now()), nil)
	one := newBatch(false)
	one.routes["r"] = encode(exportRoute("r", route("r")))
	equal(t, "beyond it", k.apply(one, time.Now()), error(errTooMuch))
	one.services["s1"] = nil
	equal(t, "one for one", k.apply(one, time.Now()), nil)
	large := newBatch(false)
	large.routes["r"] = make([]byte, maxState+1)
	equal(t, "too large", k.apply(large, time.Now()), error(errTooMuch))
	equal(t, "what was known", len(k.served), 1)

	b.size = 2*maxState + 1
	equal(t, "large batch", b.fits(), error(errTooMuch))
}

func FuzzLinkDecode(f *testing.F) {
	hello := `{"hello":{"version":1,"cluster":"c","epoch":"e"}}` + "\n" + `{"reset":true}` + "\n"
	synced := "\n" + `{"rev":1,"synced":true}` + "\n"
	deep, _ := json.Marshal(Route{Name: "r", Service: "s", Match: nested(200)})
	for _, seed := range []string{
		`{"rev":1,"set":{"service":{"name":"s","ready":1,"total":2}}}`,
		`{"set":{"route":{"name":"r","service":"s","match":{"op":"is","test":"Host","value":"a.example"}}}}`,
		`{"set":{"route":{"name":"r","service":"s","match":{"of":[{"op":"is","test":"PathPrefix","value":"/x"}]}}}}`,
		`{"set":{"route":{"name":"r","service":"s","match":{"of":[{"op":"not"},{"op":"any"}]}}}}`,
		`{"set":{"route":{"name":"r","service":"s","match":{"op":"is","test":"HostRegexp","value":"(x{9}){9}"}}}}`,
		`{"set":{"route":` + string(deep) + `}}`,
		`{"del":{"route":"r"}}`, `{"heartbeat":{"capacity":[{"name":"s","ready":-1}]}}`, `{"set":{"route":null}}`, `{`,
	} {
		f.Add(hello + seed + synced)
		f.Add(hello + seed + synced + seed + "\n" + `{"reset":true}` + synced)
	}
	g := Grant{Hosts: []string{"*.a.example", "a.example"}, Paths: []string{"/x"}, Services: []string{"s", "n/*"}}
	f.Fuzz(func(t *testing.T, stream string) {
		s, err := feed(t, g, stream)
		if err == nil {
			t.Fatal("a stream that ends is not an error")
		}
		if s == nil {
			return
		}
		for i, r := range s.Routes {
			if i > 0 && s.Routes[i-1].Ref().Compare(r.Ref()) >= 0 {
				t.Errorf("%s and %s are not in order", s.Routes[i-1].Ref(), r.Ref())
			}
			again := Route{Name: r.Name.String(), Service: r.Backends[0].Service.Name.String(), Match: r.Match}
			if err := g.Allows(again); err != nil {
				t.Errorf("%s is served: %v", r.Match, err)
			}
			if f := again.check(); f != nil && f.code != model.LimitExceeded { // narrowing may add nodes
				t.Errorf("%s is served: %v", r.Match, f)
			}
			if _, ok := model.Find(s.Services, model.Ref{Name: r.Backends[0].Service.Name, Source: s.Source}); !ok {
				t.Errorf("the service of %s is missing", r.Ref())
			}
		}
	})
}
