package dynamic

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/model"
)

func leaf(test model.Test, value string) model.Match { return model.Leaf(test, value) }

func keyed(test model.Test, key, value string) model.Match {
	return model.Match{Op: model.Is, Test: test, Key: key, Value: value}
}

func all(of ...model.Match) model.Match   { return model.Match{Op: model.All, Of: of} }
func anyOf(of ...model.Match) model.Match { return model.Match{Op: model.Any, Of: of} }
func not(m model.Match) model.Match       { return model.Match{Op: model.Not, Of: []model.Match{m}} }

// The rules of Traefik's page "Rules & Priority", and what it says of them.
func TestDocumentedRules(t *testing.T) {
	a, b, c := leaf(model.Path, "/a"), leaf(model.Path, "/b"), leaf(model.Path, "/c")
	for _, tt := range []struct {
		rule string
		want model.Match
	}{
		{"Header(`Content-Type`, `application/yaml`)", keyed(model.Header, "Content-Type", "application/yaml")},
		{"HeaderRegexp(`content-type`, `^application/(json|yaml)$`)",
			keyed(model.HeaderRegexp, "Content-Type", "^application/(json|yaml)$")},
		{"Host(`example.com`)", leaf(model.Host, "example.com")},
		{"Host(`*.Example.com.`)", leaf(model.Host, "*.example.com")},
		{"Host(`xn--bcher-kva.example`)", leaf(model.Host, "xn--bcher-kva.example")},
		{"Host(`*`)", leaf(model.PathPrefix, "/")},
		{"Host(`10.0.0.1`)", leaf(model.Host, "10.0.0.1")},
		{"Host(`[2001:DB8::0:1]`)", leaf(model.Host, "2001:db8::1")},
		{"HostRegexp(`^.+\\.example\\.com$`)", leaf(model.HostRegexp, `^.+\.example\.com$`)},
		{"HostRegexp(`(?i)^example\\.(com|org)$`)", leaf(model.HostRegexp, `(?i)^example\.(com|org)$`)},
		{"Method(`options`)", leaf(model.Method, "OPTIONS")},
		{"Path(`/products`)", leaf(model.Path, "/products")},
		{"PathPrefix(`/products`)", leaf(model.PathPrefix, "/products")},
		{"PathRegexp(`\\.(jpeg|jpg|png)$`)", leaf(model.PathRegexp, `\.(jpeg|jpg|png)$`)},
		{"Query(`mobile`, `true`)", keyed(model.Query, "mobile", "true")},
		{"Query(`mobile`)", keyed(model.Query, "mobile", "")},
		{"Query(`mobile`, ``)", keyed(model.Query, "mobile", "")},
		{"QueryRegexp(`mobile`, `^.*$`)", keyed(model.QueryRegexp, "mobile", "^.*$")},
		{"QueryRegexp(`mobile`)", keyed(model.Query, "mobile", "")},
		{"ClientIP(`10.76.105.11`)", leaf(model.ClientIP, "10.76.105.11")},
		{"ClientIP(`::1`)", leaf(model.ClientIP, "::1")},
		{"ClientIP(`::ffff:10.0.0.1`)", leaf(model.ClientIP, "10.0.0.1")},
		{"ClientIP(`192.168.1.7/24`)", leaf(model.ClientIP, "192.168.1.0/24")},
		{"ClientIP(`fe80::/10`)", leaf(model.ClientIP, "fe80::/10")},
		{`Host("example.com")`, leaf(model.Host, "example.com")},
		{`HostRegexp("a\\.b")`, leaf(model.HostRegexp, `a\.b`)},
		{"HOST(`a.b`)", leaf(model.Host, "a.b")}, {"pathprefix(`/a`)", leaf(model.PathPrefix, "/a")},

		{"Path(`/a`) && Path(`/b`) || Path(`/c`)", anyOf(all(a, b), c)},
		{"Path(`/a`) || Path(`/b`) && Path(`/c`)", anyOf(a, all(b, c))},
		{"Path(`/a`) && (Path(`/b`) || Path(`/c`))", all(a, anyOf(b, c))},
		{"!Path(`/a`) && Path(`/b`)", all(not(a), b)},
		{"!(Path(`/a`) && Path(`/b`))", not(all(a, b))},
		{"!!Path(`/a`)", not(not(a))},
		{"((Path(`/a`)))", a},
		{"(Path(`/a`) && Path(`/b`)) && Path(`/c`)", all(a, b, c)},
		{"Path(`/a`) || (Path(`/b`) || Path(`/c`))", anyOf(a, b, c)},
		{" Path ( `/a` )\n&&\tPath(`/b`) ", all(a, b)},
	} {
		got, err := ParseRule(tt.rule)
		if err != nil {
			t.Errorf("%s: %v", tt.rule, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.rule, diff)
		}
		checkRoundTrip(t, got)
	}
}

func checkRoundTrip(t interface{ Errorf(string, ...any) }, m model.Match) {
	again, err := ParseRule(m.String())
	if err != nil || !reflect.DeepEqual(m, again) {
		t.Errorf("%s becomes %s, %v", m, again, err)
	}
}

func TestRuleMistakes(t *testing.T) {
	for _, tt := range []struct{ rule, want string }{
		{"", "column 1: expected a test such as Host(`a.example`), found the end of the rule"},
		{"Host(`a`) &&", "column 13: expected a test such as Host(`a.example`), found the end of the rule"},
		{"Host(`a`) & Path(`/`)", `column 11: write "&&"`},
		{"Host(`a`) | Path(`/`)", `column 11: write "||"`},
		{"Host(`a`) Path(`/`)", `column 11: expected "&&" or "||", found "Path"`},
		{"Host(`a`))", `column 10: there is no "(" for this ")"`},
		{"(Host(`a`)", `column 11: expected ")" for the "(" in column 1, found the end of the rule`},
		{"Host", `column 5: expected "(" after Host, found the end of the rule`},
		{"Host(a)", `column 6: Host takes values in back quotes, found "a"`},
		{"Host('a')", "column 6: values stand in back quotes or double quotes, not in single ones"},
		{"Host(`a)", "column 6: the value has no closing `"},
		{`Host("\q")`, `column 6: the value is no Go string; write \\ for \, and \" for ", or use back quotes`},
		{"Host(`a` `b`)", `column 10: expected "," or ")", found a value`},
		{"Host(`a`,)", `column 10: Host takes values in back quotes, found ")"`},
		{"Host()", "column 1: Host takes one value, found 0"},
		{"Host(`a`, `b`)", "column 1: Host takes one value, found 2"},
		{"Header(`a`)", "column 1: Header takes 2 values, found 1"},
		{"Query()", "column 1: Query takes 1 or 2 values, found 0"},
		{"Hst(`a`)", `column 1: there is no test "Hst"; did you mean Host?`},
		{"HostSNI(`a`)", `column 1: there is no test "HostSNI"`},
		{"#", "column 1: unexpected '#'"},
		{"Host(``)", `column 6: Host: "" is not the name of a host`},
		{"Host(`a..b`)", `column 6: Host: "a..b" is not the name of a host`},
		{"Host(`a.example:80`)", `column 6: Host: "a.example:80": a host has no port or scheme here`},
		{"Host(`a.*.b`)", `column 6: Host: "a.*.b": a wildcard can only be the whole first label, as in *.a.example`},
		{"Host(`**.b`)", `column 6: Host: "**.b": a wildcard can only be the whole first label, as in *.a.example`},
		{"Host(`bücher.example`)", "column 6: Host: only ASCII is possible; write an international name in its xn-- form"},
		{"Host(`{sub:.*}`)", `column 6: Host: "{sub:.*}" is not the name of a host; for a pattern use HostRegexp`},
		{"Host(`(a|b)`)", `column 6: Host: "(a|b)" is not the name of a host; for a pattern use HostRegexp`},
		{"HostRegexp(`(`)", "column 12: HostRegexp: error parsing regexp: missing closing ): `(`"},
		{"HostRegexp(`ü`)", "column 12: HostRegexp: only ASCII is possible; write an international name in its xn-- form"},
		{"PathRegexp(``)", "column 12: PathRegexp: the value is empty"},
		{"Path(`a`)", `column 6: Path: the path "a" does not begin with "/"`},
		{"Method(`A B`)", `column 8: Method: "A B" is not a method`},
		{"Header(`a b`, `c`)", `column 8: Header: "a b" is not the name of a header field`},
		{"Header(`a`, \"\\n\")", `column 13: Header: the value holds the control character '\n'`},
		{"Header(`a`, \"\\xff\")", "column 13: Header: the value is not UTF-8 text"},
		{"Query(``)", "column 7: Query: the value is empty"},
		{"ClientIP(`a`)", `column 10: ClientIP: "a" is no IP address or range; write "10.0.0.7" or "10.0.0.0/8"`},
		{"ClientIP(`fe80::1%eth0`)",
			`column 10: ClientIP: "fe80::1%eth0" is no IP address or range; write "10.0.0.7" or "10.0.0.0/8"`},
		{strings.Repeat("(", 101), "column 101: the rule is nested more than 100 deep"},
		{strings.Repeat("!", 101), "column 101: the rule is nested more than 100 deep"},
		{strings.Repeat("Path(`/`)||", 1001), "column 11001: the rule has more than 1000 tests"},
		{strings.Repeat(" ", maxRuleLength+1), "column 1: the rule has 16385 bytes; at most 16384 are allowed"},
	} {
		_, err := ParseRule(tt.rule)
		var bad *RuleError
		if !errors.As(err, &bad) || bad.Error() != tt.want || bad.Rule != tt.rule {
			t.Errorf("%.60s: %v, want %s", tt.rule, err, tt.want)
		}
	}
}

func TestRulePicture(t *testing.T) {
	for _, tt := range []struct{ rule, want string }{
		{"Host(`a`) & Path(`/`)", "Host(`a`) & Path(`/`)\n          ^"},
		{"Header(`x`, `é`) & Path(`/`)", "Header(`x`, `é`) & Path(`/`)\n                 ^"},
		{"Host(`a`)\n&", "Host(`a`) &\n          ^"},
		{"", "\n^"},
		{strings.Repeat("Host(`a`) || ", 20) + "x" + strings.Repeat(" || Host(`a`)", 20),
			"st(`a`) || Host(`a`) || Host(`a`) || Host(`a`) || x || Host(`a`) || Host(`a`) ||\n" +
				strings.Repeat(" ", 50) + "^"},
	} {
		_, err := ParseRule(tt.rule)
		var bad *RuleError
		if !errors.As(err, &bad) {
			t.Errorf("%q: %v", tt.rule, err)
		} else if got := bad.Picture(); got != tt.want {
			t.Errorf("%q:\n%s\nwant\n%s", tt.rule, got, tt.want)
		}
	}
}

// Whatever can be said in the language is written by Match.String so that it is read again.
func TestRuleRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMatch(t, 4)
		first, err := ParseRule(m.String())
		if err != nil {
			t.Fatalf("%s: %v", m, err)
		}
		if !reflect.DeepEqual(first, normal(m)) {
			t.Fatalf("%s is read as %s", m, first)
		}
		checkRoundTrip(t, first)
	})
}

func drawMatch(t *rapid.T, depth int) model.Match {
	value := rapid.StringMatching("[a-z\"\\\\`\t é|&()!]{1,8}")
	kind := rapid.IntRange(0, 6).Draw(t, "kind")
	if depth == 0 {
		kind %= 4
	}
	switch kind {
	case 0:
		return leaf(model.Host, rapid.StringMatching(`(\*\.)?[a-z0-9]{1,5}(\.[a-z]{1,3})?`).Draw(t, "host"))
	case 1:
		return leaf(model.PathPrefix, "/"+value.Draw(t, "path"))
	case 2:
		return keyed(model.Header, rapid.StringMatching(`X-[A-Z][a-z]{0,5}`).Draw(t, "name"), value.Draw(t, "value"))
	case 3:
		return keyed(model.Query, value.Draw(t, "key"), rapid.Just("").Draw(t, "none"))
	case 4:
		return not(drawMatch(t, depth-1))
	}
	m := model.Match{Op: model.All}
	if kind == 5 {
		m.Op = model.Any
	}
	for range rapid.IntRange(1, 3).Draw(t, "operands") {
		m.Of = append(m.Of, drawMatch(t, depth-1))
	}
	return m
}

// normal is the shape that ParseRule promises, written as plainly as can be.
func normal(m model.Match) model.Match {
	if m.Op == model.Is {
		return m
	}
	n := model.Match{Op: m.Op}
	for _, o := range m.Of {
		if o = normal(o); o.Op == m.Op && m.Op != model.Not {
			n.Of = append(n.Of, o.Of...)
		} else {
			n.Of = append(n.Of, o)
		}
	}
	if len(n.Of) == 1 && m.Op != model.Not {
		return n.Of[0]
	}
	return n
}

func FuzzRule(f *testing.F) {
	for _, seed := range []string{
		"Host(`a.example`) && (PathPrefix(`/x`) || !Header(`X-A`, \"b\\\"\"))", "Query(`a`)", "!((ClientIP(`::1/8`)))",
		"Host(`*`)||Host(`[::1]`)", "QueryRegexp(`a`,`b`)", "Method(`get`)&&Method(`a", "Path(\"\\u0041\")",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, rule string) {
		m, err := ParseRule(rule)
		if err == nil {
			if len(m.String()) <= maxRuleLength {
				checkRoundTrip(t, m)
			}
			if !reflect.DeepEqual(m, normal(m)) {
				t.Errorf("%s is not normal", m)
			}
			return
		}
		var bad *RuleError
		if !errors.As(err, &bad) || bad.Column < 1 || bad.Column > len(rule)+1 {
			t.Fatalf("%#v", err)
		}
		if strings.Contains(bad.Error(), "\n") || strings.Count(bad.Picture(), "\n") != 1 {
			t.Errorf("%s\n%s", bad, bad.Picture())
		}
	})
}

func BenchmarkParseRule(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseRule("Host(`shop.example`) && (PathPrefix(`/cart`) || Header(`X-A`, `b`))"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	const n = 10_000
	var text strings.Builder
	text.WriteString("http:\n  routers:\n")
	for i := range n {
		fmt.Fprintf(&text, "    r%d:\n      rule: Host(`h%d.example`)\n      service: s%d\n", i, i, i)
	}
	text.WriteString("  services:\n")
	for i := range n {
		fmt.Fprintf(&text, "    s%d:\n      loadBalancer:\n        servers:\n", i)
		for j := range 3 {
			fmt.Fprintf(&text, "        - url: http://10.%d.%d.%d\n", j, i/250, i%250)
		}
	}
	data := []byte(text.String())
	doc, err := Decode("file/test", "a.yaml", data)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := Decode("file/test", "a.yaml", data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("build", func(b *testing.B) {
		for b.Loop() {
			if s := Build("file/test", []*Document{doc}); len(s.Routes) != n || len(s.Problems) > 0 {
				b.Fatal(len(s.Routes), s.Problems)
			}
		}
	})
}
