package traefik_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/providertest"
	"github.com/fairlead/fairlead/internal/provider/traefik"
)

const source = model.Source("traefik/old")

// object is one router as the API of a Traefik v3 writes it.
type object = map[string]any

// fake is the API of a Traefik, as far as it is asked: the list of routers in pages, behind a password.
type fake struct {
	mu      sync.Mutex
	routers []object
	broken  bool
	body    string   // in place of the list
	started []object // anew: these are what is read over a new connection; nil: it was not
	asked   chan struct{}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	user, password, _ := r.BasicAuth()
	page, size := number(r, "page", 1), number(r, "per_page", 100)
	begin := (page - 1) * size
	switch {
	case user != "ann" || password != "secret":
		w.WriteHeader(http.StatusUnauthorized)
		return
	case f.broken:
		w.WriteHeader(http.StatusBadGateway)
		return
	case r.URL.Path != "/api/http/routers":
		w.WriteHeader(http.StatusNotFound)
		return
	case page < 1 || size < 1 || begin > 0 && begin >= len(f.routers):
		http.Error(w, `{"message":"invalid request"}`, http.StatusBadRequest)
		return
	}
	end, next := min(begin+size, len(f.routers)), 1
	if end < len(f.routers) {
		next = page + 1
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Next-Page", strconv.Itoa(next))
	if f.body != "" {
		_, _ = io.WriteString(w, f.body)
		return
	}
	if f.started != nil {
		w.Header().Set("Connection", "close")
	}
	_ = json.NewEncoder(w).Encode(append([]object{}, f.routers[begin:end]...))
	if f.started != nil {
		f.routers, f.started = f.started, nil
	}
	select {
	case f.asked <- struct{}{}:
	default:
	}
}

// number reads one of the query; 0: it is none.
func number(r *http.Request, name string, otherwise int) int {
	if text := r.URL.Query().Get(name); text != "" {
		n, _ := strconv.Atoi(text)
		return n
	}
	return otherwise
}

func (f *fake) change(how func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how()
}

// plainRouters are routers as a Traefik lists them, with what does not matter here.
func plainRouters(rules map[string]string) (list []object) {
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		list = append(list, object{
			"entryPoints": []string{"web"}, "name": name, "provider": "docker", "rule": rules[name], "service": name,
			"status": "enabled", "using": []string{"web"}, "priority": 18, "middlewares": []string{"auth@docker"},
			"observability": object{"accessLogs": true},
		})
	}
	return list
}

func start(t *testing.T, f *fake, change ...func(*traefik.Config)) *traefik.Provider {
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	c := traefik.Config{
		Source: source, URLs: []string{server.URL}, Timeout: 10 * time.Second, Interval: 5 * time.Millisecond,
		Header: func() (http.Header, error) {
			return http.Header{"Authorization": {"Basic YW5uOnNlY3JldA=="}}, nil
		},
		EntryPoints: map[string][]string{
			"web": {"http://10.0.0.5:80", "http://10.0.0.6:80"}, "websecure": {"https://10.0.0.5:443"},
		},
		Bound: func(r *model.Route, service string) ([]string, model.Match, error) {
			if service == "secret" {
				return nil, r.Match, fmt.Errorf("the service name %q is not granted", service)
			}
			return []string{"edge"}, r.Match, nil
		},
	}
	for _, f := range change {
		f(&c)
	}
	return traefik.New(c, slog.New(slog.DiscardHandler))
}

func TestContract(t *testing.T) {
	providertest.Run(t, providertest.Harness{Start: func(t *testing.T) providertest.Place {
		f := &fake{}
		set := func(rules map[string]string) { f.change(func() { f.routers = plainRouters(rules) }) }
		return providertest.Place{
			Source: source, Provider: start(t, f), Set: set,
			Spoil: func(rules map[string]string) {
				set(providertest.Spoilt(rules))
			},
			Break: func() { f.change(func() { f.broken = true }) },
			Heal:  func() { f.change(func() { f.broken = false }) },
		}
	}})
}

// first returns what is published first.
func first(t *testing.T, p *traefik.Provider) (s model.Snapshot, err error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err = p.Run(ctx, func(found model.Snapshot) { s = found; cancel() })
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return s, err
}

func TestRouters(t *testing.T) {
	f := &fake{routers: []object{
		{"name": "api@internal", "rule": "PathPrefix(`/api`)", "service": "api@internal", "entryPoints": []string{"web"},
			"priority": 9223372036854775806, "status": "enabled"},
		{"name": "shop@docker", "rule": "Host(`shop.example`) && PathPrefix(`/a`)", "service": "shop", "priority": 7,
			"entryPoints": []string{"web", "websecure"}, "tls": object{"options": "default"}, "status": "enabled"},
		{"name": "own@docker", "rule": "!Host(`x.example`) && (Host( `Own.example`) || Host(`o.example`))", "service": "shop",
			"entryPoints": []string{"websecure"}, "tls": object{"options": "modern@file"}, "status": "enabled"},
		{"name": "nobody@docker", "rule": "PathPrefix(`/`)", "service": "shop", "priority": 1,
			"entryPoints": []string{"websecure"}, "tls": object{"options": "modern@file"}, "status": "enabled"},
		{"name": "plain@docker", "rule": "Host(`shop.example`)", "service": "shop@file",
			"entryPoints": []string{"web", "websecure"}, "status": "warning"},
		{"name": "inside@docker", "rule": "Host(`in.example`)", "service": "x", "entryPoints": []string{"inside"}},
		{"name": "off@docker", "rule": "Host(`off.example`)", "service": "x", "entryPoints": []string{"web"},
			"status": "disabled"},
		{"name": "child@docker", "rule": "Path(`/x`)", "service": "x", "entryPoints": []string{"web"},
			"parentRefs": []string{"shop@docker"}},
		{"name": "theirs@kubernetes/a", "rule": "Host(`theirs.example`)", "service": "secret",
			"entryPoints": []string{"web"}},
	}}
	s, err := first(t, start(t, f, func(c *traefik.Config) { c.Trust.ServerName = "proxy.example" }))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range s.Routes {
		got = append(got, fmt.Sprintf("%s: %s priority %d tls %v on %v to %s",
			r.Name, r.Match, r.Priority, r.TLS, r.EntryPoints, r.Backends[0].Service))
	}
	for _, service := range s.Services {
		name := ""
		if by, ok := model.Find(s.Transports, service.Transport); ok {
			name = by.TLS.ServerName
		}
		var at []string
		for _, e := range service.Endpoints {
			at = append(at, e.Addr)
		}
		got = append(got, fmt.Sprintf("%s: %s %s %q rewrites %v, connected to every %v",
			service.Name, service.Protocol, at, name, service.RewriteHost, service.Check.Interval))
	}
	for _, p := range s.Problems {
		got = append(got, fmt.Sprintf("%s: %s", p.Object, p.Code))
	}
	want := []string{
		"nobody.docker: PathPrefix(`/`) priority 1 tls true on [edge] to shop.docker.websecure@traefik/old",
		"own.docker: !Host(`x.example`) && (Host(`own.example`) || Host(`o.example`)) priority 65 tls true on [edge] " +
			"to shop.docker.websecure.own.example@traefik/old",
		"plain.docker: Host(`shop.example`) priority 20 tls false on [edge] to shop.file.web@traefik/old",
		"shop.docker: Host(`shop.example`) && PathPrefix(`/a`) priority 7 tls true on [edge] " +
			"to shop.docker.websecure@traefik/old",
		`shop.docker.websecure: https [10.0.0.5:443] "proxy.example" rewrites false, connected to every 250ms`,
		`shop.docker.websecure.own.example: https [10.0.0.5:443] "own.example" rewrites false, connected to every 250ms`,
		`shop.file.web: http [10.0.0.5:80 10.0.0.6:80] "" rewrites false, connected to every 250ms`,
		"route theirs.kubernetes-a@traefik/old: not_granted",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What is not a whole list of routers changes nothing.
func TestGarbage(t *testing.T) {
	for _, body := range []string{
		"<html>sign in</html>", "null", "{}", `[{"rule":"x"}]`, `[{"name":"a@b","service":"c"`, "[1]",
	} {
		f := &fake{body: body}
		if s, err := first(t, start(t, f)); err == nil {
			t.Errorf("%s: published %+v", body, s)
		}
	}
	notTraefik := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "[]")
	}))
	defer notTraefik.Close()
	if s, err := first(t, start(t, &fake{}, func(c *traefik.Config) { c.URLs = []string{notTraefik.URL} })); err == nil {
		t.Errorf("an empty list without a page: published %+v", s)
	}
	_, err := first(t, start(t, &fake{}, func(c *traefik.Config) {
		c.Header = func() (http.Header, error) { return http.Header{}, nil }
	}))
	if err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("without a password: %v", err)
	}
}

// Routers that lead to others are granted where all that these lead to is. One that leads nowhere stops nobody else.
func TestParents(t *testing.T) {
	list := []object{
		{"name": "shop@file", "rule": "Host(`shop.example`)", "service": "shop"},
		{"name": "family@file", "rule": "Host(`family.example`)"},
		{"name": "son@file", "rule": "Path(`/son`)", "parentRefs": []string{"family@file"}},
		{"name": "grandson@file", "rule": "Path(`/x`)", "parentRefs": []string{"son@file"}, "service": "shop"},
		{"name": "clan@file", "rule": "Host(`clan.example`)"},
		{"name": "open@file", "rule": "Path(`/a`)", "parentRefs": []string{"clan@file"}, "service": "shop"},
		{"name": "closed@file", "rule": "Path(`/b`)", "parentRefs": []string{"clan@file"}, "service": "secret@docker"},
		{"name": "half@file", "rule": "Host(`half.example`)"},
		{"name": "on@file", "rule": "Path(`/a`)", "parentRefs": []string{"half@file"}, "service": "shop"},
		{"name": "off@file", "rule": "Path(`/b`)", "parentRefs": []string{"half@file"}, "service": "secret",
			"status": "disabled"},
		{"name": "empty@file", "rule": "Host(`empty.example`)", "status": "disabled"},
		{"name": "left@file", "rule": "Host(`left.example`)"}, // its children are disabled
		{"name": "gone@file", "rule": "Path(`/`)", "parentRefs": []string{"left@file"}, "service": "x", "status": "disabled"},
		{"name": "round@file", "rule": "Path(`/`)", "parentRefs": []string{"turn@file"}},
		{"name": "turn@file", "rule": "Path(`/`)", "parentRefs": []string{"round@file"}},
	}
	for _, r := range list {
		if r["parentRefs"] == nil {
			r["entryPoints"] = []string{"web"}
		}
	}
	s, err := first(t, start(t, &fake{routers: list}))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range s.Routes {
		got = append(got, fmt.Sprintf("%s to %s", r.Name, r.Backends[0].Service.Name))
	}
	for _, service := range s.Services {
		got = append(got, service.Name.String())
	}
	for _, p := range s.Problems {
		got = append(got, fmt.Sprintf("%s: %s: %s", p.Object, p.Code, p.Message))
	}
	want := []string{
		"family.file to family.file.web", "half.file to half.file.web", "shop.file to shop.file.web",
		"family.file.web", "half.file.web", "shop.file.web",
		`route clan.file@traefik/old: not_granted: the service name "secret" is not granted`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Where one replica cannot be read, another is.
func TestReplicas(t *testing.T) {
	one := &fake{routers: plainRouters(map[string]string{"a": "Path(`/`)"})}
	other := httptest.NewServer(&fake{routers: plainRouters(map[string]string{"a": "Path(`/`)", "b": "Path(`/`)"})})
	t.Cleanup(other.Close)
	p := start(t, one, func(c *traefik.Config) { c.URLs = append(c.URLs, other.URL) })
	w := providertest.Start(t, p, func(s model.Snapshot) string { return strconv.Itoa(len(s.Routes)) })
	w.Until("1")
	one.change(func() { one.broken = true })
	w.Until("2")
}

// A list that goes on is not all of it.
func TestTooMany(t *testing.T) {
	_, err := first(t, start(t, &fake{routers: make([]object, 100_001), body: "[]"}))
	if err == nil || !strings.Contains(err.Error(), "more than 100000") {
		t.Errorf("got %v", err)
	}
}

// A Traefik that was started anew has not read everything yet: what is missing then is waited for. What is missing
// later is gone.
func TestStartedAnew(t *testing.T) {
	list := func(names ...string) []object {
		all := []object{}
		for _, name := range names {
			all = append(all, object{"name": name + "@file", "rule": "Path(`/" + name + "`)", "service": "s",
				"entryPoints": []string{"web"}})
		}
		return all
	}
	say := func(s model.Snapshot) (said string) {
		for _, r := range s.Routes {
			said += strings.TrimSuffix(r.Name.Name, ".file")
		}
		return said
	}
	for settle, want := range map[time.Duration]string{time.Hour: "abc", time.Millisecond: "b"} {
		f := &fake{routers: list("a", "b")}
		w := providertest.Start(t, start(t, f, func(c *traefik.Config) { c.Settle = settle }), say)
		w.Until("ab")
		f.change(func() { f.started, f.asked = list("b"), make(chan struct{}) })
		for range 5 {
			<-f.asked
		}
		if settle == time.Hour {
			f.change(func() { f.routers = list("a", "b", "c") })
		}
		if got := say(<-w.Published); got != want {
			t.Errorf("waiting %v: published %q, want %q", settle, got, want)
		}
		f.change(func() { f.routers = list("c") })
		w.Until("c")
	}
}

// The fake answers as a real Traefik was seen to; test/traefik looks whether it still does.
func TestRecording(t *testing.T) {
	text, err := os.ReadFile("testdata/api.json")
	if err != nil {
		t.Fatal(err)
	}
	var seen struct {
		Routers []object
		Pages   []struct {
			Query, User, NextPage string
			Status                int
			Names                 []string
		}
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // the priorities of internal routers are as large as can be
	if err := d.Decode(&seen); err != nil {
		t.Fatal(err)
	}
	f := &fake{routers: seen.Routers}
	for _, p := range seen.Pages {
		r := httptest.NewRequest(http.MethodGet, "/api/http/routers?"+p.Query, nil)
		if p.User == "edge" {
			r.SetBasicAuth("ann", "secret")
		}
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		var list []struct{ Name string }
		_ = json.Unmarshal(w.Body.Bytes(), &list) // an error has no list
		var names []string
		for _, r := range list {
			names = append(names, r.Name)
		}
		if w.Code != p.Status || w.Header().Get("X-Next-Page") != p.NextPage || !slices.Equal(names, p.Names) {
			t.Errorf("%+v: the fake answers %d, next page %q, %v", p, w.Code, w.Header().Get("X-Next-Page"), names)
		}
	}
	s, err := first(t, start(t, f))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range s.Routes {
		got = append(got, fmt.Sprintf("%s: %s priority %d tls %v to %s",
			r.Name, r.Match, r.Priority, r.TLS, r.Backends[0].Service.Name))
	}
	for _, p := range s.Problems {
		got = append(got, fmt.Sprintf("%s: %s", p.Object, p.Code))
	}
	want := []string{
		"both.file: Host(`both.shop.example`) priority 25 tls false to shop.file.web",
		"family.file: Host(`family.shop.example`) priority 27 tls false to family.file.web",
		"foreign.file: Host(`foreign.example`) priority 23 tls false to shop.file.web",
		"modern.file: Host(`modern.shop.example`) priority 27 tls true to shop.file.websecure.modern.shop.example",
		"redirect.file: Host(`old.shop.example`) priority 24 tls false to noop.internal.web",
		"safe.file: Host(`safe.shop.example`) priority 25 tls true to shop.file.websecure",
		"shop.file: Host(`shop.example`) priority 20 tls false to shop.file.web",
		"route clan.file@traefik/old: not_granted", "route secret.file@traefik/old: not_granted",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
