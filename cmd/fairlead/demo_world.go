package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"text/template"

	"github.com/fairlead/fairlead/internal/access"
	"github.com/fairlead/fairlead/internal/config"
)

// demoCluster is one cluster of the demo: a Fairlead instance, and the applications that it finds in a file.
type demoCluster struct {
	Name string
	dir  string
	apps []*demoApp

	Link string // address of the link entry point; known from the first start on
	Pin  string // of its CA
	Key  string // file with the edge's key

	mu   sync.Mutex
	live *demoRun // nil: taken away
}

// demoRun is a cluster while it lives.
type demoRun struct {
	instance *instance
	stop     context.CancelFunc
	ended    chan struct{}
	apps     []*http.Server
}

// demoApp is an application: it says who it is.
type demoApp struct {
	Name string
	Addr string
}

// demoPlan says what runs where: shop in two clusters, maps in one, and orders in one behind an API key.
func demoPlan() []*demoCluster {
	return []*demoCluster{
		{Name: "frankfurt", apps: []*demoApp{{Name: "shop"}}},
		{Name: "paris", apps: []*demoApp{{Name: "shop"}, {Name: "orders"}}},
		{Name: "oslo", apps: []*demoApp{{Name: "maps"}}},
	}
}

var demoInstanceFile = template.Must(template.New("instance").Parse(`cluster: {name: {{.Name}}}
entryPoints: {web: {address: "127.0.0.1:0"}}
providers: {file: {directory: routes}}
link: {address: "{{or .Link "127.0.0.1:0"}}"}
store: {path: data}
api: {address: "127.0.0.1:0"}
`))

var demoRoutesFile = template.Must(template.New("routes").Parse(`http:
  routers:
    {{.Name}}:
      rule: Host(` + "`{{.Name}}.localhost`" + `)
      service: {{.Name}}
      export: true
{{- if eq .Name "orders"}}
      middlewares: [customers]
  middlewares:
    customers:
      apiKey: {header: X-Api-Key, scope: "route:orders"}
{{- end}}
  services:
    {{.Name}}:
      loadBalancer: {servers: [{url: "http://{{.Addr}}"}]}
`))

var demoEdgeFile = template.Must(template.New("edge").Parse(`cluster: {name: edge}
entryPoints: {web: {address: "{{.Address}}"}}
store: {path: data}
api: {address: "127.0.0.1:0"}
clusters:
{{- range .Clusters}}
  - name: {{.Name}}
    addresses: ["{{.Link}}"]
    key: "file:{{.Key}}"
    ca: "{{.Pin}}"
    grant: {hosts: ["*.localhost"], services: ["*"]}
{{- end}}
`))

// writeTemplate writes a file from a template, readable by its owner only.
func writeTemplate(path string, t *template.Template, data any) error {
	var text strings.Builder
	if err := t.Execute(&text, data); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text.String()), 0o600)
}

// start brings the cluster to life: its applications, then its instance. The second time it has the addresses that it
// had the first time.
func (c *demoCluster) start(ctx context.Context, log *slog.Logger) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live != nil {
		return nil
	}
	run := &demoRun{ended: make(chan struct{})}
	for _, app := range c.apps {
		server, err := app.start(c.Name)
		if err != nil {
			run.kill()
			return err
		}
		run.apps = append(run.apps, server)
		if err := writeTemplate(filepath.Join(c.dir, "routes", app.Name+".yaml"), demoRoutesFile, app); err != nil {
			run.kill()
			return err
		}
	}
	var err error
	if run.instance, run.stop, err = startInstance(ctx, filepath.Join(c.dir, "fairlead.yaml"), demoInstanceFile, c,
		log.With("instance", c.Name), run.ended); err != nil {
		run.kill()
		return err
	}
	c.Link, c.Pin = run.instance.proxy.Addr(linkEntryPoint).String(), run.instance.authority.Pin()
	c.live = run
	return nil
}

// startInstance writes an instance's file and runs the instance until stop is called. ended is closed when it has
// ended.
func startInstance(
	ctx context.Context, path string, t *template.Template, data any, log *slog.Logger, ended chan struct{},
) (*instance, context.CancelFunc, error) {
	if err := writeTemplate(path, t, data); err != nil {
		return nil, nil, err
	}
	c, err := config.Load(path)
	if err != nil {
		return nil, nil, err
	}
	i, err := newInstance(ctx, c, log)
	if err != nil {
		return nil, nil, err
	}
	if err := i.ensureAdmin(ctx); err != nil {
		i.close()
		return nil, nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	go func() {
		defer close(ended)
		if err := i.Run(ctx); err != nil {
			log.Debug("instance ended", "error", err)
		}
	}()
	return i, stop, nil
}

// kill takes the cluster away as the loss of its machines would: every connection is cut at once.
func (c *demoCluster) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live != nil {
		c.live.kill()
		c.live = nil
	}
}

func (c *demoCluster) alive() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.live != nil
}

func (r *demoRun) kill() {
	for _, app := range r.apps {
		_ = app.Close()
	}
	if r.instance == nil {
		return
	}
	r.instance.proxy.Kill()
	r.stop()
	<-r.ended
}

// start serves the application; it answers with the cluster that it runs in.
func (a *demoApp) start(cluster string) (*http.Server, error) {
	if a.Addr == "" {
		a.Addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", a.Addr)
	if err != nil {
		return nil, fmt.Errorf("starting %s in %s: %w", a.Name, cluster, err)
	}
	a.Addr = l.Addr().String()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Cluster", cluster)
		_, _ = fmt.Fprintf(w, "%s in %s: %s %s\n", a.Name, cluster, r.Method, r.URL.Path)
	})}
	go func() { _ = server.Serve(l) }()
	return server, nil
}

// demoWorld is an edge and the clusters that it follows.
type demoWorld struct {
	clusters []*demoCluster
	edge     *demoRun
	address  string // of the edge's entry point
	customer string // an API key for orders
	dir      string
	log      *slog.Logger
}

// newDemoWorld starts the clusters, gives the edge a key to each, and starts the edge on address.
func newDemoWorld(ctx context.Context, address string, log *slog.Logger) (w *demoWorld, err error) {
	w = &demoWorld{clusters: demoPlan(), log: log}
	if w.dir, err = os.MkdirTemp("", "fairlead-demo-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	for _, c := range w.clusters {
		c.dir = filepath.Join(w.dir, c.Name)
		if err := c.start(ctx, log); err != nil {
			return nil, err
		}
		if err := w.giveKeys(ctx, c); err != nil {
			return nil, err
		}
	}
	run := &demoRun{ended: make(chan struct{})}
	run.instance, run.stop, err = startInstance(ctx, filepath.Join(w.dir, "edge", "fairlead.yaml"), demoEdgeFile,
		map[string]any{"Address": address, "Clusters": w.clusters}, log.With("instance", "edge"), run.ended)
	if err != nil {
		return nil, err
	}
	w.edge, w.address = run, run.instance.proxy.Addr("web").String()
	return w, nil
}

// giveKeys makes the keys that a cluster gives away: one to the edge, and in paris one to a customer of orders.
func (w *demoWorld) giveKeys(ctx context.Context, c *demoCluster) error {
	keys := c.live.instance.keys
	presented, _, err := keys.Create(ctx, access.Spec{
		Owner: "edge", Scopes: []string{string(access.LinkRead), string(access.LinkTraffic)},
	})
	if err != nil {
		return err
	}
	c.Key = filepath.Join(w.dir, "edge", c.Name+".key")
	if err := os.MkdirAll(filepath.Dir(c.Key), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(c.Key, []byte(presented), 0o600); err != nil {
		return err
	}
	if c.Name != "paris" {
		return nil
	}
	w.customer, _, err = keys.Create(ctx, access.Spec{Owner: "customer", Scopes: []string{"route:orders"}})
	return err
}

// cluster returns the cluster of that name.
func (w *demoWorld) cluster(name string) (*demoCluster, error) {
	var names []string
	for _, c := range w.clusters {
		if c.Name == name {
			return c, nil
		}
		names = append(names, c.Name)
	}
	return nil, fmt.Errorf("there is no cluster %q; there are %s", name, strings.Join(names, ", "))
}

// close ends everything and removes what it left.
func (w *demoWorld) close() {
	if w.edge != nil {
		w.edge.stop()
		<-w.edge.ended
	}
	for _, c := range w.clusters {
		c.kill()
	}
	if err := os.RemoveAll(w.dir); err != nil {
		w.log.Error("removing the demo's files", "error", err)
	}
}
