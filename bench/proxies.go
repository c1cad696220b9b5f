//go:build linux

package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

// proxy is a program to be measured, configured in one way.
type proxy struct {
	name    string
	binary  string
	version string
	ours    bool
	variant bool // takes part only where Fairlead's variants are compared
	peer
}

// peer says how a kind of proxy is configured, started and reloaded.
type peer struct {
	program string   // what is looked for on PATH
	asks    []string // arguments that make it say its version
	env     []string
	files   []file
	args    func(s site) []string
	// reload returns the signal for its first process, or the command, that makes it read its files again. Neither: it
	// watches them.
	reload func(s site) []string
	hup    bool // SIGHUP in place of a command
	usr2   bool // likewise SIGUSR2
}

// file is one of a proxy's files. Where each is not 0, there is one for so many routes, and its name has a number.
type file struct {
	name, template string
	each           int
	only           string // "routes" or "services": the other is left out
}

//go:embed peers
var templates embed.FS

// peers are the proxies that Fairlead is compared with, those first that everybody compares with.
func peers() []peer {
	return []peer{
		{
			program: "nginx", asks: []string{"-v"},
			files: []file{{name: "nginx.conf", template: "nginx.conf.tmpl"}},
			args:  func(s site) []string { return []string{"-p", s.Dir, "-c", filepath.Join(s.Dir, "nginx.conf")} },
			hup:   true,
		},
		{
			program: "haproxy", asks: []string{"-v"},
			files: []file{
				{name: "haproxy.cfg", template: "haproxy.cfg.tmpl"}, {name: "hosts.map", template: "hosts.map.tmpl"},
			},
			args: func(s site) []string { return []string{"-W", "-db", "-f", filepath.Join(s.Dir, "haproxy.cfg")} },
			usr2: true,
		},
		{
			program: "caddy", asks: []string{"version"},
			env:   []string{"GOMAXPROCS=1", "XDG_CONFIG_HOME=.", "XDG_DATA_HOME=."}, // it keeps to its folder
			files: []file{{name: "caddy.json", template: "caddy.json.tmpl"}},
			args:  func(s site) []string { return []string{"run", "--config", filepath.Join(s.Dir, "caddy.json")} },
			reload: func(s site) []string {
				return []string{"reload", "--config", filepath.Join(s.Dir, "caddy.json"), "--address", s.Admin}
			},
		},
		{
			program: "traefik", asks: []string{"version"}, env: []string{"GOMAXPROCS=1"},
			files: append(dynamicFiles(), file{name: "traefik.yaml", template: "traefik.yaml.tmpl"},
				file{name: "routes/tls.yaml", template: "traefik-tls.yaml.tmpl"}),
			args: func(s site) []string { return []string{"--configFile=" + filepath.Join(s.Dir, "traefik.yaml")} },
		},
	}
}

// dynamicFiles are the files of the dynamic format: a hundred routes each, as many hands would write them.
func dynamicFiles() []file {
	return []file{
		{name: "routes/services.yaml", template: "routes.yaml.tmpl", only: "services"},
		{name: "routes/routes-%d.yaml", template: "routes.yaml.tmpl", each: 100, only: "routes"},
	}
}

// fairlead says how Fairlead is started, with its own file from a template.
func fairlead(name string) peer {
	return peer{
		program: "fairlead", asks: []string{"version"}, env: []string{"GOMAXPROCS=1"},
		files: append([]file{{name: "fairlead.yaml", template: name}}, dynamicFiles()...),
		args:  func(s site) []string { return []string{"serve", "--config", filepath.Join(s.Dir, "fairlead.yaml")} },
	}
}

// findProxies returns Fairlead in each of its variants, further builds of it, and the peers that are installed; and a
// hint about those that are missing though every Debian has them.
func findProxies(ctx context.Context, binary string, also map[string]string) (found []proxy, hint string, err error) {
	add := func(name, path string, ours bool, p peer) error {
		path, err := filepath.Abs(path) // it runs elsewhere
		if err != nil {
			return err
		}
		version, err := runToEnd(ctx, path, p.asks...)
		if err != nil {
			return fmt.Errorf("asking %s for its version: %w", name, err)
		}
		found = append(found, proxy{name: name, binary: path, version: versionIn(version, ours), ours: ours, peer: p})
		return nil
	}
	for _, variant := range []string{"", "-bare", "-log"} {
		if err := add("fairlead"+variant, binary, true, fairlead("fairlead"+variant+".yaml.tmpl")); err != nil {
			return nil, "", err
		}
		found[len(found)-1].variant = variant != ""
	}
	for name, path := range also {
		if err := add(name, path, true, fairlead("fairlead.yaml.tmpl")); err != nil {
			return nil, "", err
		}
	}
	var missing []string
	for _, p := range peers() {
		path, err := exec.LookPath(p.program)
		switch {
		case err == nil:
			if err := add(p.program, path, false, p); err != nil {
				return nil, "", err
			}
		case p.hup || p.usr2:
			missing = append(missing, p.program)
		}
	}
	if len(missing) > 0 {
		hint = "not found: " + strings.Join(missing, ", ") + "; on Debian: apt-get install --no-install-recommends " +
			strings.Join(missing, " ")
	}
	return found, hint, nil
}

// versionNumber is how all of them write it, somewhere in what they say.
var versionNumber = regexp.MustCompile(`\d+\.\d+(\.\d+)?`)

func versionIn(text []byte, ours bool) string {
	if words := strings.Fields(string(text)); ours && len(words) > 1 {
		return words[1] // a build that is no release has no number
	}
	if number := versionNumber.Find(text); number != nil {
		return string(number)
	}
	return "unknown"
}

// configuration returns the contents of a proxy's files by their names.
func (p proxy) configuration(s site) (map[string][]byte, error) {
	contents := make(map[string][]byte)
	for _, f := range p.files {
		parts := [][]route{s.Routes}
		if f.each > 0 {
			parts = slices.Collect(slices.Chunk(s.Routes, f.each))
		}
		for i, part := range parts {
			name, filled := f.name, s
			filled.Routes = part
			switch f.only {
			case "routes":
				filled.Services = nil
			case "services":
				filled.Routes = nil
			}
			if f.each > 0 {
				name = fmt.Sprintf(f.name, i)
			}
			content, err := fill(f.template, filled)
			if err != nil {
				return nil, err
			}
			contents[name] = content
		}
	}
	return contents, nil
}

// endpoints returns where a service is, for files that have no other place to say it than a route.
func endpoints(s site, service string) []string {
	i := slices.IndexFunc(s.Services, func(t target) bool { return t.Name == service })
	return s.Services[i].Endpoints
}

func fill(name string, s site) ([]byte, error) {
	functions := template.FuncMap{"endpoints": endpoints, "json": asJSON}
	t, err := template.New(name).Funcs(functions).ParseFS(templates, "peers/"+name)
	if err != nil {
		return nil, fmt.Errorf("reading the template %s: %w", name, err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, s); err != nil {
		return nil, fmt.Errorf("filling in %s: %w", name, err)
	}
	return b.Bytes(), nil
}
