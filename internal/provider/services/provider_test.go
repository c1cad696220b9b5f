package services_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/providertest"
	"github.com/fairlead/fairlead/internal/provider/services"
)

const source = model.Source("services/main")

var update = flag.Bool("update", false, "write what is there as what is wanted")

func provider(t testing.TB, path string) *services.Provider {
	t.Helper()
	p, err := services.New(services.Config{
		Source: source, Path: path, Options: dynamic.WorkloadOptions{ExposedByDefault: true},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func replace(t testing.TB, path string, data []byte) {
	t.Helper()
	must(t, os.WriteFile(path+".tmp", data, 0o600))
	must(t, os.Rename(path+".tmp", path))
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	must(t, err)
	return data
}

// labels make routes, each with a service of its own, of one instance.
func labels(rules map[string]string) map[string]string {
	all := map[string]string{}
	for name, rule := range rules {
		all["traefik.http.routers."+name+".rule"] = rule
		all["traefik.http.routers."+name+".service"] = name
		all["traefik.http.services."+name+".loadbalancer.server.port"] = "80"
	}
	return all
}

func targets(t testing.TB, rules map[string]string) []byte {
	if len(rules) == 0 {
		return []byte("[]")
	}
	return encode(t, []any{map[string]any{"targets": []string{"10.0.0.7:80"}, "labels": labels(rules)}})
}

func definitions(t testing.TB, rules map[string]string) []byte {
	if len(rules) == 0 {
		return []byte(`{"services": []}`)
	}
	var tags []string
	for key, value := range labels(rules) {
		tags = append(tags, key+"="+value)
	}
	slices.Sort(tags)
	return encode(t, map[string]any{"service": map[string]any{"name": "all", "port": 80, "tags": tags}})
}

func TestContract(t *testing.T) {
	for name, write := range map[string]func(testing.TB, map[string]string) []byte{
		"targets": targets, "definitions": definitions,
	} {
		t.Run(name, func(t *testing.T) {
			providertest.Run(t, providertest.Harness{Start: func(t *testing.T) providertest.Place {
				dir := filepath.Join(t.TempDir(), "services")
				must(t, os.Mkdir(dir, 0o700))
				set := func(rules map[string]string) { replace(t, filepath.Join(dir, "all.json"), write(t, rules)) }
				return providertest.Place{
					Source: source, Provider: provider(t, dir), Set: set,
					Spoil: func(rules map[string]string) {
						set(providertest.Spoilt(rules))
					},
					Break: func() { must(t, os.Rename(dir, dir+".away")) },
					Heal:  func() { must(t, os.Rename(dir+".away", dir)) },
				}
			}})
		})
	}
}

// text writes a snapshot: services with their endpoints, routes, problems.
func text(t testing.TB, s model.Snapshot) string {
	var b strings.Builder
	for _, o := range s.Services {
		lane := ""
		if o.Lane != model.LaneHTTP {
			lane = string(o.Lane) + " "
		}
		fmt.Fprintf(&b, "%sservice %s", lane, o.Name)
		for _, e := range o.Endpoints {
			fmt.Fprintf(&b, " %s×%d", e.Addr, e.Weight)
		}
		if o.Protocol != "" && o.Protocol != model.HTTP {
			fmt.Fprintf(&b, " (%s)", o.Protocol)
		}
		if c := o.Check; c != nil {
			fmt.Fprintf(&b, " check %s", encode(t, c))
		}
		b.WriteByte('\n')
	}
	for _, r := range s.Routes {
		fmt.Fprintf(&b, "route %s %s\n", r.Name, r.Match)
	}
	for _, p := range s.Problems {
		fmt.Fprintln(&b, p)
	}
	return b.String()
}

// Every testdata/*.txtar is a folder of service files, and what it makes.
func TestFiles(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			must(t, err)
			dir := filepath.Join(t.TempDir(), "services")
			must(t, os.Mkdir(dir, 0o700))
			last := len(a.Files) - 1
			for _, f := range a.Files[:last] {
				must(t, os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600))
			}
			got := text(t, first(t, provider(t, dir)))
			if *update {
				a.Files[last].Data = []byte(got)
				must(t, os.WriteFile(path, txtar.Format(a), 0o600))
			}
			if d := cmp.Diff(string(a.Files[last].Data), got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// first returns what a provider publishes first.
func first(t *testing.T, p *services.Provider) (s model.Snapshot) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := p.Run(ctx, func(one model.Snapshot) {
		s = one
		cancel()
	})
	if ctx.Err() == nil {
		t.Fatal(err)
	}
	return s
}

// What is half written or garbage changes nothing but what problems say; what is removed is gone.
func TestWhatWorkedStays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "services")
	must(t, os.Mkdir(dir, 0o700))
	shop, blog := filepath.Join(dir, "shop.json"), filepath.Join(dir, "blog.json")
	replace(t, shop, []byte(`[{"targets": ["10.0.0.7:80"]}]`))
	replace(t, blog, []byte(`{"service": {"name": "blog", "port": 81}}`))
	ctx, cancel := context.WithCancel(t.Context())
	published, ended := make(chan string, 100), make(chan error, 1)
	go func() { ended <- provider(t, dir).Run(ctx, func(s model.Snapshot) { published <- text(t, s) }) }()
	defer func() {
		cancel()
		<-ended
	}()
	next := func() string {
		select {
		case s := <-published:
			return s
		case <-time.After(20 * time.Second):
			t.Fatal("nothing is published")
			return ""
		}
	}
	const both = "service blog 127.0.0.1:81×1\nservice shop 10.0.0.7:80×1\n"
	if got := next(); got != both {
		t.Fatalf("published %q", got)
	}
	for _, bad := range []string{"[{\"targets\":\n [\"10.0.0", "\x00\xff", `{"datacenter": "paris"}`, `["a", 1]`} {
		replace(t, shop, []byte(bad))
		got := next()
		if !strings.HasPrefix(got, both+"services/shop.json:") && bad[1] != '"' {
			t.Errorf("of %q, published %q", bad, got)
		}
	}
	replace(t, shop, []byte(`[{"targets": ["10.0.0.8:80"]}]`))
	if got := next(); got != "service blog 127.0.0.1:81×1\nservice shop 10.0.0.8:80×1\n" {
		t.Errorf("published %q", got)
	}
	must(t, os.Remove(shop))
	if got := next(); got != "service blog 127.0.0.1:81×1\n" {
		t.Errorf("published %q", got)
	}
}

// FuzzDecode: whatever a file holds, the one beside it is served.
func FuzzDecode(f *testing.F) {
	f.Add(`[{"targets": ["a:1"], "labels": {"job": "x"}}]`, true)
	f.Add(`{"service": {"name": "x", "port": 1, "check": {"http": "http://a:2/"}}}`, true)
	f.Add("services: [{name: x, port: 80, tags: [traefik.tcp.routers.x.rule=HostSNI(`*`)]}]", false)
	f.Fuzz(func(t *testing.T, data string, asJSON bool) {
		dir := t.TempDir()
		name := "a.yaml"
		if asJSON {
			name = "a.json"
		}
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600))
		must(t, os.WriteFile(filepath.Join(dir, "z-good.json"), []byte(`[{"targets": ["10.0.0.7:80"]}]`), 0o600))
		s := first(t, provider(t, dir))
		if !slices.ContainsFunc(s.Services, func(o *model.Service) bool { return o.Name.Name == "z-good" }) {
			t.Errorf("the good file is not served: %s", text(t, s))
		}
	})
}
