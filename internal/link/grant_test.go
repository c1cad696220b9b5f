package link

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

// A rule in these tests is written with prefixes: "& a b" all, "| a b" any, "! a" not, and leaves as H: Host,
// HR: HostRegexp, P: Path, PP: PathPrefix, PR: PathRegexp, M: Method. Operands in brackets.
func rule(t *testing.T, s string) model.Match {
	t.Helper()
	words := strings.Fields(strings.NewReplacer("[", " [ ", "]", " ] ").Replace(s))
	m, rest := ruleOf(t, words)
	if len(rest) > 0 {
		t.Fatalf("%s: left over: %v", s, rest)
	}
	return m
}

func ruleOf(t *testing.T, words []string) (m model.Match, rest []string) {
	t.Helper()
	if len(words) == 0 {
		return m, nil
	}
	ops := map[string]model.Op{"&": model.All, "|": model.Any, "!": model.Not}
	if op, ok := ops[words[0]]; ok {
		m.Op = op
		words = words[1:]
		for len(words) > 0 && words[0] != "]" {
			var o model.Match
			if words[0] == "[" {
				o, words = ruleOf(t, words[1:])
				words = words[1:]
			} else {
				o, words = ruleOf(t, words)
			}
			m.Of = append(m.Of, o)
		}
		return m, words
	}
	tests := map[string]model.Test{"H": model.Host, "HR": model.HostRegexp, "P": model.Path, "PP": model.PathPrefix,
		"PR": model.PathRegexp, "M": model.Method}
	test, value, _ := strings.Cut(words[0], ":")
	if tests[test] == "" {
		t.Fatalf("no test %q", words[0])
	}
	return model.Leaf(tests[test], value), words[1:]
}

type grantCase struct {
	hosts, paths string
	rule         string
	allowed      bool
	served       string // "" means as it is
}

func TestGrantHosts(t *testing.T) {
	for _, test := range []grantCase{
		{"", "", "H:a.example", false, ""},
		{"", "", "", false, ""},
		{"a.example", "", "H:a.example", true, ""},
		{"A.Example", "", "H:a.example", true, ""},
		{"a.example", "", "H:b.example", false, ""},
		{"a.example", "", "H:x.a.example", false, ""},
		{"a.example", "", "H:*.a.example", false, ""},
		{"a.example", "", "H:xa.example", false, ""},
		{"a.example", "", "", false, ""},
		{"*.a.example", "", "H:a.example", false, ""},
		{"*.a.example", "", "H:x.a.example", true, ""},
		{"*.a.example", "", "H:y.x.a.example", true, ""},
		{"*.a.example", "", "H:*.a.example", true, ""},
		{"*.a.example", "", "H:*.x.a.example", true, ""},
		{"*.a.example", "", "H:xa.example", false, ""},
		{"*.a.example", "", "H:*.example", false, ""},
		{"*.a.example", "", "HR:^x\\.a\\.example$", false, ""},
		{"a.example *.a.example", "", "| H:a.example H:x.a.example", true, ""},
		{"a.example", "", "| H:a.example H:b.example", false, ""},
		{"a.example", "", "& H:a.example M:GET", true, ""},
		{"a.example", "", "& M:GET PP:/", false, ""},
		{"a.example", "", "& H:a.example [| H:b.example M:GET]", true, ""},
		{"a.example", "", "| [& H:a.example M:GET] [& H:a.example P:/x]", true, ""},
		{"a.example", "", "| [& H:a.example M:GET] P:/x", false, ""},
		{"a.example", "", "|", true, ""}, // never true
		{"a.example", "", "! H:a.example", false, ""},
		{"a.example", "", "! [! H:a.example]", false, ""},
		{"a.example", "", "& H:a.example [! P:/x]", true, ""},
		{"a.example", "", "& HR:.* H:a.example", true, ""},
		{"*", "", "HR:.*", true, ""},
		{"*", "", "", true, ""},
		{"*", "", "! H:a.example", true, ""},
		{"*.", "", "H:a.example", false, ""},
	} {
		test.check(t)
	}
}

func TestGrantPaths(t *testing.T) {
	for _, test := range []grantCase{
		{"*", "/x", "", false, ""},
		{"*", "/x", "P:/x", true, ""},
		{"*", "/x", "P:/x/", true, ""},
		{"*", "/x", "P:/x/y", true, ""},
		{"*", "/x", "P:/xy", false, ""},
		{"*", "/x", "P:/", false, ""},
		{"*", "/x", "PP:/x", true, "| P:/x PP:/x/"},
		{"*", "/x/", "PP:/x", true, "| P:/x PP:/x/"},
		{"*", "/x", "PP:/x/", true, ""},
		{"*", "/x", "PP:/x/y", true, ""},
		{"*", "/x", "PP:/xy", false, ""},
		{"*", "/x", "PP:/", false, ""},
		{"*", "/x", "PR:^/x/", false, ""},
		{"*", "/x", `& PP:/x PR:^/x/\d+$`, true, `& [| P:/x PP:/x/] PR:^/x/\d+$`},
		{"*", "/x", "P:/x/../y", false, ""},
		{"*", "/x", "PP:/x/..", false, ""},
		{"*", "/x", "PP:/x/.", false, ""},
		{"*", "/x", "P:/x/..y", true, ""},
		{"*", "/x", "! P:/y", false, ""},
		{"*", "/x /y", "| PP:/x/ PP:/y", true, "| PP:/x/ [| P:/y PP:/y/]"},
		{"*", "/x /x/y", "PP:/x/y", true, ""},
		{"*", "/x", "& [! PP:/x] P:/x/y", true, ""}, // what is negated is not narrowed
		{"*", "x", "P:x", false, ""},
		{"*", "x", "P:/y", false, ""},
		{"*", "//", "P:/y", false, ""},
		{"*", "/", "PR:.*", true, ""},
		{"*", "", "PP:/x", true, ""},
		// Both.
		{"a.example", "/x", "& H:a.example PP:/x", true, "& H:a.example [| P:/x PP:/x/]"},
		{"a.example", "/x", "& H:a.example PP:/y", false, ""},
		{"a.example", "/x", "& H:b.example PP:/x", false, ""},
		{"a.example b.example", "/x /y", "| [& H:a.example P:/x] [& H:b.example P:/y]", true, ""},
	} {
		test.check(t)
	}
}

func (test grantCase) check(t *testing.T) {
	t.Helper()
	g := Grant{Hosts: strings.Fields(test.hosts), Paths: strings.Fields(test.paths), Services: []string{"*"}}
	m := rule(t, test.rule)
	err := g.Allows(Route{Name: "r", Service: "s", Match: m})
	what := "hosts " + test.hosts + ", paths " + test.paths + ": " + test.rule
	equal(t, what, err == nil, test.allowed)
	if !test.allowed {
		return
	}
	want := m
	if test.served != "" {
		want = rule(t, test.served)
	}
	equal(t, what, g.narrow(m).String(), want.String())
}

func TestGrantNames(t *testing.T) {
	for _, test := range []struct {
		services, name string
		allowed        bool
	}{
		{"", "shop", false},
		{"shop", "shop", true},
		{"shop", "a/shop", false},
		{"shop", "shop2", false},
		{"a/shop", "a/shop", true},
		{"a/*", "a/shop", true},
		{"a/*", "a", false},
		{"a/*", "ab/shop", false},
		{"a/*", "a/b/shop", true}, // the name b/shop in a
		{"/*", "shop", false},
		{"sh*", "shop", false},
		{"*", "a/shop", true},
		{"*", "shop", true},
		{"x a/* shop", "shop", true},
	} {
		g := Grant{Hosts: []string{"*"}, Services: strings.Fields(test.services)}
		equal(t, test.services+": "+test.name, g.Allows(Route{Service: test.name}) == nil, test.allowed)
	}
}

// A route of UDP, and one of TCP without TLS, takes entry points whole: no host stands for them.
func TestGrantStreams(t *testing.T) {
	const udp, tcp = model.LaneUDP, model.LaneTCP
	sni := model.Leaf(model.HostSNI, "db.example")
	all := model.Leaf(model.HostSNI, "*")
	for _, test := range []struct {
		hosts, tcp, udp string // granted
		route           Route
		served          string // "": refused
	}{
		{"", "", "", Route{Lane: udp}, ""},
		{"*", "", "", Route{Lane: udp}, ""},
		{"*", "dns", "", Route{Lane: udp}, ""},
		{"", "", "dns", Route{Lane: udp}, "dns"},
		{"", "", "dns sip", Route{Lane: udp}, "dns sip"},
		{"", "", "dns sip", Route{Lane: udp, EntryPoints: []string{"sip"}}, "sip"},
		{"", "", "dns", Route{Lane: udp, EntryPoints: []string{"sip"}}, ""},
		{"", "", "dns", Route{Lane: udp, EntryPoints: []string{"sip", "dns"}}, "dns"},

		{"*", "", "mail", Route{Lane: tcp, Match: all}, ""},
		{"", "mail", "", Route{Lane: tcp, Match: all}, "mail"},
		{"", "mail", "", Route{Lane: tcp, Match: all, EntryPoints: []string{"web"}}, ""},
		{"", "mail", "", Route{Lane: tcp, Match: model.Leaf(model.ClientIP, "10.0.0.0/8")}, "mail"},

		{"db.example", "", "", Route{Lane: tcp, TLS: true, Match: sni}, "web"},
		{"*.example", "", "", Route{Lane: tcp, TLS: true, Match: sni}, "web"},
		{"other.example", "", "", Route{Lane: tcp, TLS: true, Match: sni}, ""},
		{"", "mail", "", Route{Lane: tcp, TLS: true, Match: sni}, ""},
		{"db.example", "", "", Route{Lane: tcp, TLS: true, Match: all}, ""},
		{"*", "", "", Route{Lane: tcp, TLS: true, Match: all}, "web"},
		{"db.example", "", "", Route{Lane: tcp, TLS: true, Match: sni, EntryPoints: []string{"mail"}}, ""},
	} {
		g := Grant{
			Hosts: strings.Fields(test.hosts), Paths: []string{"/only"}, EntryPoints: []string{"web"},
			TCP: strings.Fields(test.tcp), UDP: strings.Fields(test.udp), Services: []string{"*"},
		}
		test.route.Service = "s"
		served := ""
		if g.Allows(test.route) == nil {
			served = strings.Join(g.entryPoints(test.route), " ")
		}
		equal(t, fmt.Sprintf("%+v: %+v", g, test.route), served, test.served)
	}
}

func TestGrantEntryPoints(t *testing.T) {
	for _, test := range []struct{ granted, defaults, named, served string }{
		{"", "", "", ""},
		{"", "", "web", "refused"},
		{"", "websecure web", "", "web websecure"},
		{"", "websecure web", "web", "web"},
		{"", "websecure web", "web admin", "web in part"},
		{"", "websecure web", "admin", "refused"},
		{"web", "websecure", "", "web"},
		{"web", "websecure", "websecure", "refused"},
		{"web", "websecure", "web web websecure", "web in part"},
		{"web websecure", "", "websecure web", "web websecure"},
	} {
		e := newEdge(nil, func(o *FollowerOptions) {
			o.Grant = Grant{Hosts: []string{"*"}, Services: []string{"*"}, EntryPoints: strings.Fields(test.granted)}
			o.DefaultEntryPoints = strings.Fields(test.defaults)
		}, "x:1")
		r := e.known.judge("r", encode(Route{Name: "r", Service: "s", EntryPoints: strings.Fields(test.named)}))
		got := "refused"
		if r.route != nil {
			got = strings.Join(r.route.EntryPoints, " ")
			if len(r.problems) > 0 {
				got += " in part"
			}
		}
		equal(t, "granted "+test.granted+", default "+test.defaults+", named "+test.named, got, test.served)
	}
}
