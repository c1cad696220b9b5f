package route_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/route"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite what the cases expect")

// TestCases runs testdata/*.txtar. Each has sections:
//
//	order        sources, one a line
//	services     "name@source", or "name@source = other:weight …", or "name@source = USE of other:weight …", and options
//	             after " | ": aware, with MIDDLEWARE, by TRANSPORT
//	middlewares  "name@source", or "name@source = other …" for a chain
//	transports   "name@source"
//	routes       "name@source: rule -> service:weight …", and options after " | ": priority N, entry NAME, tls,
//	             with MIDDLEWARE, since DATE, exported, broken
//	problems     what Compile finds
//	requests     "METHOD URL" with options after " | ": at ENTRYPOINT, not default, from ADDRESS, Field: value;
//	             below it, as Explain has it, the routes in order
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			runCase(t, archive)
			got := txtar.Format(archive)
			if *update {
				if err := os.WriteFile(file, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s (- want, + got; -update accepts):\n%s", file, diff)
			}
		})
	}
}

// runCase rewrites the sections that say what is expected.
func runCase(t *testing.T, archive *txtar.Archive) {
	s := &model.Snapshot{}
	for _, f := range archive.Files {
		for line := range lines(string(f.Data)) {
			parseLine(t, s, f.Name, line)
		}
	}
	s.Sort()
	table := route.Compile(s)
	for i := range archive.Files {
		f := &archive.Files[i]
		var out strings.Builder
		switch f.Name {
		case "problems":
			for _, p := range table.Problems() {
				fmt.Fprintln(&out, p)
			}
		case "requests":
			for line := range lines(string(f.Data)) {
				if !strings.HasPrefix(line, "  ") {
					explain(t, table, line, &out)
				}
			}
		default:
			continue
		}
		f.Data = []byte(out.String())
	}
}

func explain(t *testing.T, table *route.Table, line string, out *strings.Builder) {
	fmt.Fprintln(out, line)
	q := parseRequest(t, line)
	rule, ok := table.Match(q)
	for _, step := range table.Explain(q) {
		fmt.Fprintf(out, "  %s", step)
		if step.Chosen {
			ok = false
			if step.Rule != rule {
				t.Errorf("%s: Explain chose %v, Match %v", line, step.Route.Ref(), rule.Route.Ref())
			}
			for _, b := range rule.Backends {
				fmt.Fprintf(out, " %s", showBackend(b))
			}
			for _, m := range rule.Middlewares {
				fmt.Fprintf(out, " +%s", m.Ref())
			}
		}
		fmt.Fprintln(out)
	}
	if ok {
		t.Errorf("%s: Match chose %v, Explain nothing", line, rule.Route.Ref())
	}
}

func lines(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for line := range strings.Lines(text) {
			if line = strings.TrimRight(line, "\n"); line != "" && !strings.HasPrefix(line, "#") && !yield(line) {
				return
			}
		}
	}
}

func parseLine(t *testing.T, s *model.Snapshot, section, line string) {
	name, of, _ := strings.Cut(line, " = ")
	ref := model.ParseRef(name)
	switch section {
	case "order":
		s.Order = append(s.Order, model.Source(line))
	case "services":
		s.Services = append(s.Services, parseService(t, ref, of))
	case "middlewares":
		m := &model.Middleware{Name: ref.Name, Source: ref.Source}
		if of == "" {
			m.Headers = &model.Headers{}
		} else {
			m.Chain = &model.Chain{}
			for _, name := range strings.Fields(of) {
				m.Chain.Middlewares = append(m.Chain.Middlewares, model.ParseRef(name))
			}
		}
		s.Middlewares = append(s.Middlewares, m)
	case "transports":
		s.Transports = append(s.Transports, &model.Transport{Name: ref.Name, Source: ref.Source})
	case "routes":
		s.Routes = append(s.Routes, parseRoute(t, line))
	}
}

func parseService(t *testing.T, ref model.Ref, of string) *model.Service {
	s := &model.Service{Name: ref.Name, Source: ref.Source}
	of, options, _ := strings.Cut(of, " | ")
	if use, rest, ok := strings.Cut(of, " of "); ok {
		s.Use, of = model.Use(use), rest
	}
	s.Backends = parseBackends(t, of)
	for option := range strings.SplitSeq(options, ", ") {
		switch key, value, _ := strings.Cut(option, " "); key {
		case "aware":
			s.Aware = true
		case "with":
			s.Middlewares = append(s.Middlewares, model.ParseRef(value))
		case "by":
			s.Transport = model.ParseRef(value)
		}
	}
	return s
}

// showBackend shows a backend and what is inside it.
func showBackend(b route.Backend) string {
	text := fmt.Sprintf("%s:%d", b.Service.Ref(), b.Weight)
	if b.Transport != nil {
		text += "/" + b.Transport.Ref().String()
	}
	if b.Inside == nil {
		return text
	}
	var inside []string
	for _, part := range b.Inside.Backends {
		inside = append(inside, showBackend(part))
	}
	for _, m := range b.Inside.Middlewares {
		inside = append(inside, "+"+m.Ref().String())
	}
	return text + "(" + strings.Join(inside, " ") + ")"
}

func parseBackends(t *testing.T, text string) (list []model.Backend) {
	for _, field := range strings.Fields(text) {
		name, weight, ok := strings.Cut(field, ":")
		b := model.Backend{Service: model.ParseRef(name), Weight: 1}
		if ok {
			var err error
			if b.Weight, err = strconv.Atoi(weight); err != nil {
				t.Fatal(err)
			}
		}
		list = append(list, b)
	}
	return list
}

func parseRoute(t *testing.T, line string) *model.Route {
	name, rest, _ := strings.Cut(line, ": ")
	rest, options, _ := strings.Cut(rest, " | ")
	rule, services, ok := strings.Cut(rest, " -> ")
	if !ok {
		t.Fatalf("no service in %q", line)
	}
	ref := model.ParseRef(name)
	r := &model.Route{Name: ref.Name, Source: ref.Source, Match: parseRule(t, rule), Backends: parseBackends(t, services)}
	r.Priority = len(rule)
	for option := range strings.SplitSeq(options, ", ") {
		key, value, _ := strings.Cut(option, " ")
		var err error
		switch key {
		case "priority":
			r.Priority, err = strconv.Atoi(value)
		case "entry":
			r.EntryPoints = append(r.EntryPoints, value)
		case "tls":
			r.TLS = true
		case "with":
			r.Middlewares = append(r.Middlewares, model.ParseRef(value))
		case "since":
			r.Since, err = time.Parse(time.DateOnly, value)
		case "exported":
			r.Export.Offered = true
		case "broken":
			r.Broken = true
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// parseRule reads the rule language, which happens to be a part of Go's expressions.
func parseRule(t *testing.T, rule string) model.Match {
	if rule == "everything" {
		return model.Match{}
	}
	expr, err := parser.ParseExpr(rule)
	if err != nil {
		t.Fatal(err)
	}
	return matchOf(expr)
}

func matchOf(expr ast.Expr) model.Match {
	switch e := expr.(type) {
	case *ast.ParenExpr:
		return matchOf(e.X)
	case *ast.UnaryExpr:
		return model.Match{Op: model.Not, Of: []model.Match{matchOf(e.X)}}
	case *ast.BinaryExpr:
		op := model.All
		if e.Op == token.LOR {
			op = model.Any
		}
		return model.Match{Op: op, Of: []model.Match{matchOf(e.X), matchOf(e.Y)}}
	case *ast.CallExpr:
		m := model.Match{Op: model.Is, Test: model.Test(e.Fun.(*ast.Ident).Name)}
		for i, arg := range e.Args {
			value, _ := strconv.Unquote(arg.(*ast.BasicLit).Value)
			if i == 0 && (len(e.Args) == 2 || m.Test == model.Query) {
				m.Key = value
			} else {
				m.Value = value
			}
		}
		return m
	}
	return model.Match{Op: model.Op("unknown")}
}

func parseRequest(t *testing.T, line string) *route.Request {
	head, options, _ := strings.Cut(line, " | ")
	method, address, _ := strings.Cut(head, " ")
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := &route.Request{
		EntryPoint: "web", Default: true, TLS: u.Scheme == "https", Method: method, Host: u.Hostname(), Path: u.Path,
		RawQuery: u.RawQuery, Header: http.Header{}, ClientIP: netip.MustParseAddr("192.0.2.1"),
	}
	for option := range strings.SplitSeq(options, ", ") {
		key, value, _ := strings.Cut(option, " ")
		switch {
		case option == "":
		case option == "not default":
			q.Default = false
		case key == "at":
			q.EntryPoint = value
		case key == "from":
			q.ClientIP = netip.MustParseAddr(value)
		default:
			q.Header.Add(strings.TrimSuffix(key, ":"), value)
		}
	}
	return q
}
