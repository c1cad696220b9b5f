package document

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
)

type common struct {
	Name string `doc:"name"`
}

type server struct {
	URL    string `doc:"url"`
	Weight *int   `doc:"weight"`
}

type everything struct {
	common
	On      bool              `doc:"on"`
	Count   int               `doc:"count"`
	Small   uint8             `doc:"small"`
	Ratio   float64           `doc:"ratio"`
	Wait    time.Duration     `doc:"wait"`
	Words   []string          `doc:"words"`
	Numbers []int             `doc:"numbers"`
	Servers []server          `doc:"servers"`
	Labels  map[string]string `doc:"labels"`
	Inner   *server           `doc:"inner"`
	Addr    netip.Addr        `doc:"addr"`
	Raw     *Node             `doc:"raw"`
	Ignored string
}

const everythingYAML = `
name: shop
"on": true
count: 12
small: 0x1f
ratio: 1.5
wait: 1m30s
words: [a, "b"]
numbers: 1, 2
servers:
  - url: http://a
    weight: 3
  - url: http://b
labels:
  x: "1"
  y: 2
inner: {url: http://c}
addr: 10.0.0.1
`

const everythingTOML = `
name = "shop"
on = true
count = 12
small = 0x1f
ratio = 1.5
wait = 90
words = ["a", 'b']
numbers = "1,2"
inner.url = "http://c"
addr = "10.0.0.1"
[[servers]]
url = "http://a"
weight = 3
[[servers]]
url = "http://b"
[labels]
x = "1"
y = 2
`

const everythingJSON = `{"NAME": "shop", "on": "true", "count": "12", "small": 31, "ratio": 1.5, "wait": "90",
"words": ["a", "b"], "numbers": [1, 2], "servers": [{"url": "http://a", "weight": 3}, {"url": "http://b"}],
"labels": {"x": "1", "y": 2}, "inner": {"url": "http://c"}, "addr": "10.0.0.1"}`

func TestFormatsDecodeAlike(t *testing.T) {
	three := 3
	want := everything{
		common: common{"shop"}, On: true, Count: 12, Small: 31, Ratio: 1.5, Wait: 90 * time.Second,
		Words: []string{"a", "b"}, Numbers: []int{1, 2}, Servers: []server{{"http://a", &three}, {URL: "http://b"}},
		Labels: map[string]string{"x": "1", "y": "2"}, Inner: &server{URL: "http://c"},
		Addr: netip.MustParseAddr("10.0.0.1"),
	}
	for name, text := range map[string]string{
		"a.yaml": everythingYAML, "a.YML": everythingYAML, "a.toml": everythingTOML, "a.json": everythingJSON,
	} {
		var got everything
		if mistakes := decode(t, name, text, &got); len(mistakes) > 0 {
			t.Errorf("%s: %v", name, mistakes)
		}
		same := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
		opt := cmp.Options{cmp.AllowUnexported(common{}, everything{}), same}
		if diff := cmp.Diff(want, got, opt); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func decode(t *testing.T, name, text string, into any) []string {
	t.Helper()
	n, err := Parse(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, m := range Decode(n, into) {
		lines = append(lines, fmt.Sprintf("%s|%d:%d|%s|%v", m.Error(), m.At.Line, m.At.Column, m.Field, m.Unknown))
	}
	return lines
}

func TestMistakes(t *testing.T) {
	yaml := `name: [a]
"on": maybe
count: 1.5
small: 300
wait: soon
words: {a: b}
servers:
  - url: x
    wieght: 1
  - nothing
  -
labels: text
Count: 2
inner:
  url: kept
  weight: "7x"
addr: 1.2.3
unknwon: 1
`
	want := []string{
		`f.yaml:1: name: expected text, found a list|1:1|name|false`,
		`f.yaml:2: on: expected true or false, found "maybe"|2:1|on|false`,
		`f.yaml:3: count: expected a whole number, found "1.5"|3:1|count|false`,
		`f.yaml:4: small: 300 is out of range|4:1|small|false`,
		`f.yaml:5: wait: expected a duration such as "10s", found "soon"|5:1|wait|false`,
		`f.yaml:6: words: expected a list, found a map|6:1|words|false`,
		`f.yaml:9: servers[0].wieght: unknown field "wieght"; did you mean "weight"?|9:5|servers[0].wieght|true`,
		`f.yaml:10: servers[1]: expected a map, found "nothing"|10:5|servers[1]|false`,
		`f.yaml:11: servers[2]: expected a map, found nothing|11:4|servers[2]|false`,
		`f.yaml:12: labels: expected a map, found "text"|12:1|labels|false`,
		`f.yaml:13: Count: the key is already in line 3; remove one of them|13:1|Count|false`,
		`f.yaml:16: inner.weight: expected a whole number, found "7x"|16:3|inner.weight|false`,
		`f.yaml:17: addr: ParseAddr("1.2.3"): IPv4 address too short|17:1|addr|false`,
		`f.yaml:18: unknwon: unknown field "unknwon"|18:1|unknwon|true`,
	}
	var got everything
	if diff := cmp.Diff(want, decode(t, "f.yaml", yaml, &got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Inner == nil || got.Inner.URL != "kept" || got.Servers[0].URL != "x" {
		t.Errorf("what is not mistaken is missing: %+v", got)
	}
}

func TestMistakesKnowTheirLine(t *testing.T) {
	for name, text := range map[string]string{
		"a.toml": "name = 'x'\n\n[inner]\nweight = 'y'\n",
		"b.json": "{\"name\": \"x\",\n\n\"inner\": {\n\"weight\": \"y\"}}",
		"c.yaml": "name: x\n\ninner:\n  weight: y\n",
	} {
		var into everything
		want := name + `:4: inner.weight: expected a whole number, found "y"`
		if got := decode(t, name, text, &into); len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for _, tt := range []struct{ name, file, text, want string }{
		{"yaml", "a.yaml", "a:\n  - b\n c: [", "a.yaml:3: "},
		{"yaml scanner", "a.yaml", "a:\n  - b\nc: @x", "a.yaml:3: found character that cannot start any token"},
		{"yaml flow", "a.yaml", "a:\n  - b\nc: [1,\n d: {", "a.yaml:4: "},
		{"yaml duplicate", "a.yaml", "a: 1\nb: 2\na: 3", `a.yaml:3: the key "a" is already in line 1; remove one`},
		{"yaml two documents", "a.yaml", "a: 1\n---\nb: 1", "a.yaml:2: the file holds a second document"},
		{"yaml alias", "a.yaml", "a: *b", `a.yaml:1: unknown anchor 'b' referenced`},
		{"yaml self", "a.yaml", "a: &b [*b]", `a.yaml:1: the anchor "b" holds itself`},
		{"yaml merge", "a.yaml", "a: &b x\nc:\n  <<: *b", "a.yaml:3: only maps can be merged, found a value"},
		{"yaml tag", "a.yaml", "a: !secret x", `a.yaml:1: the tag "!secret" is not supported`},
		{"yaml key", "a.yaml", "? [a]\n: b", "a.yaml:1: a key must be text, found a list"},
		{"json", "a.json", "{\"a\": 1,\n}", "a.json:2: invalid character '}' looking for beginning of object key string"},
		{"json end", "a.json", "{\"a\":\n", "a.json:1: unexpected end of JSON input"},
		{"json two", "a.json", "{}\n{}", "a.json:2: invalid character '{' after top-level value"},
		{"json duplicate", "a.json", "{\"a\": 1,\n\"a\": 2}", `a.json:2: the key "a" is already in line 1; remove one`},
		{"toml", "a.toml", "a = 1\nb = \n", "a.toml:2: "},
		{"toml duplicate", "a.toml", "a = 1\na = 2\n", `a.toml:2: the key "a" is already in line 1; remove one`},
		{"extension", "a.ini", "a", `a.ini:1: cannot tell the format from the extension ".ini"; use .yaml, .toml or .json`},
		{"utf-8", "a.yaml", "a: b\nc: \xff", "a.yaml:2: the file is not UTF-8 text"},
		{"size", "a.yaml", strings.Repeat("a", MaxSize+1), "a.yaml:1: the file has 4194305 bytes; at most 4194304 "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, err := Parse(tt.file, []byte(tt.text))
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || !strings.HasPrefix(err.Error(), tt.want) || n != nil {
				t.Errorf("got %v, %v; want %q", n, err, tt.want)
			}
		})
	}
}

// What may add to a table is as the library's decoder has it, for every order of a few lines.
func TestTOMLTables(t *testing.T) {
	lines := []string{
		"[a]", "[a.b]", "[a.b.c]", "[[a]]", "[[a.b]]", "a.b.c = 1", "a.b.d = 1", "a = {}", "b.c = 2", "b = {c = {d = 1}}",
		"b = [{c = 1}]", "b = [1]", "c.d.e = 1", "[b]", "[[b]]", "[b.c]", "[b.c.d]", "b = 1", "d = 1",
	}
	for _, one := range lines {
		for _, two := range lines {
			for _, three := range lines {
				text := one + "\n" + two + "\n" + three + "\n"
				var whole map[string]any
				want := toml.Unmarshal([]byte(text), &whole)
				if _, err := Parse("a.toml", []byte(text)); (err == nil) != (want == nil) {
					t.Errorf("%q: %v, want %v", text, err, want)
				}
			}
		}
	}
}

func TestHostileDocumentsAreRefused(t *testing.T) {
	laughs := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 9; i++ {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10))
	}
	const many = 50_000
	for name, doc := range map[string]struct{ file, text string }{
		"laughs":       {"a.yaml", laughs},
		"flow":         {"a.yaml", "a: " + strings.Repeat("[", many)},
		"flow maps":    {"a.yaml", strings.Repeat("{a: ", many)},
		"blocks":       {"a.yaml", strings.Repeat("- ", many)},
		"keys":         {"a.yaml", strings.Repeat("? ", many)},
		"anchors":      {"a.yaml", strings.Repeat("&a ", many)},
		"tags":         {"a.yaml", strings.Repeat("!!str ", many)},
		"json":         {"a.json", strings.Repeat("[", many)},
		"json closed":  {"a.json", strings.Repeat("[", 100) + strings.Repeat("]", 100)},
		"json maps":    {"a.json", strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)},
		"toml":         {"a.toml", "a = " + strings.Repeat("[", many)},
		"toml closed":  {"a.toml", "a = " + strings.Repeat("[", 100) + strings.Repeat("]", 100)},
		"toml keys":    {"a.toml", strings.Repeat("a.", 100) + "a = 1"},
		"toml tables":  {"a.toml", "[" + strings.Repeat("a.", 100) + "a]"},
		"closed flow":  {"a.yaml", "a: " + strings.Repeat("[", 100) + strings.Repeat("]", 100)},
		"nested alias": {"a.yaml", nestedAliases(100)},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(doc.file, []byte(doc.text)); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func nestedAliases(n int) string {
	s := "a0: &a0 [x]\n"
	for i := 1; i < n; i++ {
		s += fmt.Sprintf("a%d: &a%d [*a%d]\n", i, i, i-1)
	}
	return s
}

func TestEmptyFilesAreEmptyMaps(t *testing.T) {
	for _, file := range []string{"a.yaml", "a.toml", "a.json"} {
		n, err := Parse(file, []byte(" \n"))
		if err != nil || n.Kind != Map || len(n.Fields) != 0 {
			t.Errorf("%s: %v, %v", file, n, err)
		}
	}
	for _, text := range []string{"# only a comment\n", "---\n", "\ufeff# bom"} {
		if n, err := Parse("a.yaml", []byte(text)); err != nil || n.Kind != Map {
			t.Errorf("%q: %v, %v", text, n, err)
		}
	}
}

func TestYAML(t *testing.T) {
	text := `base: &base {url: http://a, weight: 1}
inner:
  <<: *base
  weight: 2
servers:
  - *base
  - <<: [{url: http://b}, *base]
name: !!str 12
words:
- |
  block
- >-
  folded
  text
- 'it''s'
- "tab\t"
- ~
`
	var into struct {
		Base    *Node    `doc:"base"`
		Inner   server   `doc:"inner"`
		Servers []server `doc:"servers"`
		Name    string   `doc:"name"`
		Words   []string `doc:"words"`
	}
	mistakes := decode(t, "a.yaml", text, &into)
	if len(mistakes) != 1 || !strings.HasPrefix(mistakes[0], "a.yaml:17: words[4]: expected text, found nothing") {
		t.Errorf("mistakes: %q", mistakes)
	}
	one, two := 1, 2
	want := []server{{"http://a", &one}, {"http://b", &one}}
	if diff := cmp.Diff(want, into.Servers); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(server{"http://a", &two}, into.Inner); diff != "" {
		t.Error(diff)
	}
	if into.Name != "12" {
		t.Errorf("name %q", into.Name)
	}
	if diff := cmp.Diff([]string{"block\n", "folded text", "it's", "tab\t", ""}, into.Words); diff != "" {
		t.Error(diff)
	}
}

// A file with very many entries is long, not deep.
func TestManyKeys(t *testing.T) {
	const many = 50_000
	for _, tt := range []struct{ file, line string }{{"a.yaml", "k%d:\n"}, {"a.toml", "[k%d]\n"}} {
		var text strings.Builder
		for i := range many {
			fmt.Fprintf(&text, tt.line, i)
		}
		n, err := Parse(tt.file, []byte(text.String()))
		if err != nil || len(n.Fields) != many {
			t.Errorf("%s: %v", tt.file, err)
		}
	}
}

func TestLocate(t *testing.T) {
	text := "http:\n  routers:\n    a.b:\n      Rule: x\n      list:\n      - one\n      - two\n"
	n, err := Parse("a.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path string
		line int
	}{
		{"http/routers/a.b/rule", 4}, {"http/routers/a.b/service", 3}, {"http/routers/a.b/list/1", 7},
		{"http/routers/a.b/list/7", 5}, {"", 1}, {"nothing", 1},
	} {
		if got := n.Locate(strings.Split(tt.path, "/")...); got.Line != tt.line {
			t.Errorf("%s: %v, want line %d", tt.path, got, tt.line)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10": 10 * time.Second, "10s": 10 * time.Second, "-1": -time.Second, "1h0m1ms": time.Hour + time.Millisecond,
	} {
		if got, err := duration(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "s", "99999999999999999999", "9999999999999"} {
		if got, err := duration(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"services", "service", "rule"}
	for name, want := range map[string]string{
		"servics": "service", "Ruel": "", "rul": "rule", "x": "", "": "", strings.Repeat("rule", 100): "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		everythingYAML, everythingTOML, everythingJSON, "a: &b [*b]", "? a\n: b", "[[a]]\n[a.b]\nc=[{d=1}]",
	} {
		f.Add(byte(0), seed)
		f.Add(byte(1), seed)
		f.Add(byte(2), seed)
	}
	f.Fuzz(func(t *testing.T, format byte, text string) {
		file := []string{"a.yaml", "a.toml", "a.json"}[format%3]
		n, err := Parse(file, []byte(text))
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("%T", err)
			}
			return
		}
		var into everything
		for _, m := range Decode(n, &into) {
			if m.Message == "" || m.At.File != file {
				t.Errorf("%+v", m)
			}
		}
	})
}
