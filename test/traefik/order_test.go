package traefik_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/test/instance"
)

// order has routers that overlap, and compares which of them the edge and the Traefik choose for many requests.
func order(t *testing.T, program string) {
	p := guarded(t)
	if err := os.Remove(p.File("dynamic/shop.yaml")); err != nil {
		t.Fatal(err)
	}
	rules := map[string]string{
		"host": "Host(`shop.example`)", "any": "HostRegexp(`^.+\\.shop\\.example$`)", "below": "Host(`a.shop.example`)",
		"prefix": "Host(`shop.example`) && PathPrefix(`/a`)", "path": "Host(`shop.example`) && Path(`/a`)",
		"longer": "Host(`shop.example`) && PathPrefix(`/a/b`)", "put": "Host(`shop.example`) && Method(`PUT`)",
		"expression": "Host(`shop.example`) && PathRegexp(`^/a/[a-z]+/c$`)",
		"field":      "Host(`shop.example`) && Header(`X-Kind`, `new`)",
		"like":       "Host(`shop.example`) && HeaderRegexp(`X-Kind`, `^nea`)",
		"question":   "Host(`shop.example`) && Query(`q`, `1`)", "asked": "Host(`shop.example`) && QueryRegexp(`q`, `^...*`)",
		"either": "(Host(`a.shop.example`) || Host(`shop.example`)) && PathPrefix(`/either`)",
		"not":    "Host(`shop.example`) && !PathPrefix(`/a`) && !Method(`GET`) && !Method(`PUT`)",
		"first":  "Host(`shop.example`) && PathPrefix(`/first`)", "last": "PathPrefix(`/`)",
	}
	priorities := map[string]int{"first": 1000, "path": 500, "any": 4, "last": -1}
	lengths := make(map[int]string)
	for name, rule := range rules {
		n := cmp.Or(priorities[name], len(rule))
		if lengths[n] != "" {
			t.Fatalf("%s and %s have the same priority: a Traefik chooses as it likes", name, lengths[n])
		}
		lengths[n] = name
	}
	p.Write("dynamic/order.yaml", overlapping(rules, priorities))
	p.Start()
	e := startEdge(t, program, p, map[string]string{"HOSTS": `"*"`})
	traefik := client{t: t, address: p.EntryPoint("web")}
	key := e.key()
	instance.Await(t, patience, "the edge knows the routers", func() bool {
		return e.chooses(key, request{"GET", "shop.example", "/", ""}) == "host"
	})
	asked, chosen := 0, make(map[string]bool)
	for _, host := range []string{"shop.example", "a.shop.example", "b.shop.example", "example"} {
		for _, target := range []string{
			"/", "/a", "/a/", "/ab", "/a/b", "/a/b/c", "/a/x/c", "/either", "/first", "/A", "/%61", "/?q=1", "/?q=22",
			"/a?q=22", "/first?q=x",
		} {
			for _, method := range []string{"GET", "PUT", "POST"} {
				for _, kind := range []string{"", "new", "nearly"} {
					q := request{method, host, target, kind}
					want, got := traefik.router(q), e.chooses(key, q)
					if asked++; got != want {
						t.Errorf("%+v: the edge chooses %q, the Traefik %q", q, got, want)
					}
					chosen[want] = true
				}
			}
		}
	}
	for name := range rules {
		if !chosen[name] {
			t.Errorf("no request is %s's", name)
		}
	}
	t.Logf("%d requests, %d routers", asked, len(chosen))
}

// overlapping is a file of routers that say in their answers who they are.
func overlapping(rules map[string]string, priorities map[string]int) string {
	var routers, middlewares strings.Builder
	for name, rule := range rules {
		fmt.Fprintf(&routers, "    %s: {entryPoints: [web], service: shop, middlewares: [%[1]s], rule: '%s', priority: %d}\n",
			name, rule, priorities[name]) // 0: none
		fmt.Fprintf(&middlewares, "    %s: {headers: {customResponseHeaders: {X-Router: %[1]s}}}\n", name)
	}
	return "http:\n  services: {shop: {loadBalancer: {servers: [{url: 'http://127.0.0.1:1'}]}}}\n" +
		"  routers:\n" + routers.String() + "  middlewares:\n" + middlewares.String()
}

// request is one whose router is asked for.
type request struct{ method, host, target, kind string }

func (q request) make(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequest(q.method, "http://"+q.host+q.target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if q.kind != "" {
		r.Header.Set("X-Kind", q.kind)
	}
	return r
}

// router returns the router of a Traefik's that served a request; "": none.
func (c client) router(q request) string {
	c.t.Helper()
	answer := c.send(q.make(c.t))
	_ = answer.Body.Close()
	return answer.Header.Get("X-Router")
}

// key is the administrator's.
func (e *edge) key() string {
	e.t.Helper()
	text, err := os.ReadFile(e.File("data/admin.key"))
	if err != nil {
		e.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// chooses asks the edge's API which of the Traefik's routers a request would be led to; "": none.
func (e *edge) chooses(key string, q request) string {
	e.t.Helper()
	query := url.Values{
		"url": {"http://" + q.host + q.target}, "method": {q.method}, "entryPoint": {"plain"}, "clientIP": {asker},
	}
	if q.kind != "" {
		query.Set("header", "X-Kind: "+q.kind)
	}
	api := "http://" + e.Address(e.t, instance.API)
	r, err := http.NewRequest(http.MethodGet, api+"/api/v1/explain?"+query.Encode(), nil)
	if err != nil {
		e.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	answer, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		e.t.Fatal(err)
	}
	defer answer.Body.Close()
	var said struct{ Chosen struct{ Name string } }
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil || answer.StatusCode != http.StatusOK {
		e.t.Fatalf("%+v: %s: %v", q, answer.Status, err)
	}
	return strings.TrimSuffix(said.Chosen.Name, ".file")
}
