package traefik_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
	"github.com/fairlead/fairlead/test/lab"
)

// patience is how long a Traefik, and the edge that follows it, may take.
const patience = time.Minute

func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a Traefik")
	}
	program := instance.Program(t)
	for name, test := range map[string]func(*testing.T, string){
		"follow": follow, "order": order, "record": record, "crash": crash, "two": two, "replicas": replicas,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, program)
		})
	}
}

// follow shows what of a Traefik is served, and what is not.
func follow(t *testing.T, program string) {
	p := guarded(t)
	p.Start()
	e := startEdge(t, program, p, nil)
	for _, c := range []struct{ scheme, host, path, want string }{
		{"http", "shop.example", "/cart", "shop.example /below/cart http"}, // its middleware was applied once
		{"https", "safe.shop.example", "/", "safe.shop.example / https"},
		{"https", "modern.shop.example", "/", "modern.shop.example / https"},
		{"http", "both.shop.example", "/", "both.shop.example / http"},
		{"http", "family.shop.example", "/son", "family.shop.example /son http"},
		{"http", "family.shop.example", "/daughter", "family.shop.example /daughter http"},
		{"http", "family.shop.example", "/stranger", "404"}, // by the Traefik
		{"http", "old.shop.example", "/x", "301 https://old.shop.example/x"},
		{"http", "safe.shop.example", "/", "404 no_route"},
		{"http", "foreign.example", "/", "404 no_route"},
		{"http", "secret.shop.example", "/", "404 no_route"},
		{"http", "inside.shop.example", "/", "404 no_route"},
		{"http", "missing.shop.example", "/", "404 no_route"},
		{"http", "empty.shop.example", "/", "404 no_route"},
		{"http", "clan.shop.example", "/open", "404 no_route"},
	} {
		e.says(c.scheme, c.host, c.path, c.want)
	}
	e.refuses("foreign.file", "clan.file", "secret.file")
	other := startEdge(t, program, p, map[string]string{"CA": "cert.pem"}) // the edge's own
	other.says("https", "safe.shop.example", "/", "502 upstream_error")

	changes(t, p, e)
	password(t, p, e)
}

// refuses compares the routes that are not granted.
func (e *edge) refuses(routes ...string) {
	e.t.Helper()
	var got []string
	for _, line := range e.get("problems") {
		if strings.Contains(line, "not_granted") {
			for _, word := range strings.Fields(line) {
				if name, ok := strings.CutSuffix(word, "@traefik/main"); ok {
					got = append(got, name)
				}
			}
		}
	}
	slices.Sort(got)
	slices.Sort(routes)
	if !slices.Equal(got, routes) {
		e.t.Errorf("not granted are %v, want %v:\n%s", got, routes, strings.Join(e.get("problems"), "\n"))
	}
}

// changes has routers come, change and go, and measures how long it takes from the Traefik's first answer by a change
// to the edge's.
func changes(t *testing.T, p *lab.Traefik, e *edge) {
	var took []time.Duration
	traefik := client{t: t, address: p.EntryPoint("web")}
	for _, rule := range []string{"Path(`/a`)", "Path(`/b`)", "Path(`/a`) || Path(`/b`)", ""} {
		text := ""
		want := map[string]bool{"/a": strings.Contains(rule, "/a"), "/b": strings.Contains(rule, "/b")}
		if rule != "" {
			text = "http: {routers: {late: {entryPoints: [web], service: shop, rule: 'Host(`late.shop.example`) && (" +
				rule + ")'}}}"
		}
		p.Write("dynamic/late.yaml", text)
		served := func(by client) func() bool {
			return func() bool {
				for path, is := range want {
					if strings.HasPrefix(by.ask("http", "late.shop.example", path), "404") == is {
						return false
					}
				}
				return true
			}
		}
		instance.Await(t, patience, "the Traefik serves "+rule, served(traefik))
		began := time.Now()
		instance.Await(t, patience, "the edge serves "+rule, served(e.client))
		took = append(took, time.Since(began).Round(time.Millisecond))
	}
	t.Logf("from the Traefik's answer by a change to the edge's: added %v, changed %v, changed %v, removed %v",
		took[0], took[1], took[2], took[3])
}

// password changes that of the API, and later that of the edge. What was known is served meanwhile.
func password(t *testing.T, p *lab.Traefik, e *edge) {
	const other = "edge:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=\n" // test
	p.Write("users", other)
	p.Write("dynamic/late.yaml", "http: {middlewares: {any: {compress: {}}}}") // have it read, too
	e.awaitProblem("stale", "401", "password")
	e.says("http", "shop.example", "/", "shop.example /below/ http")
	if err := instance.Replace(e.File("password"), "test"); err != nil {
		t.Fatal(err)
	}
	instance.Await(t, patience, "the edge knows the new password", func() bool {
		return e.Read(t)[`fairlead_problems{code="stale"}`] == 0
	})
}
