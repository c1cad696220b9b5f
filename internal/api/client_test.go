package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/link"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/upstream"
)

// Each call of a client gives what the endpoint of the name answers.
func TestClient(t *testing.T) {
	b := newBench(t)
	b.set(files())
	b.set(paris())
	c, ctx := b.serve(b.admin), t.Context()
	created, err := c.CreateKey(ctx, KeySpec{Owner: "ops", Scopes: []string{"admin"}})
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := c.RotateKey(ctx, created.Key.ID, 90*time.Minute)
	if err != nil || rotated.Presented == created.Presented {
		t.Fatal(rotated, err)
	}
	question := Question{
		URL: "http://app.example/mix?a=b", Method: "PUT", Headers: []string{"A: 1", "A: 2"}, ClientIP: "::1",
		EntryPoint: "web",
	}
	query := url.Values{
		"url": {question.URL}, "method": {"PUT"}, "header": question.Headers, "clientIP": {"::1"}, "entryPoint": {"web"},
	}
	same(t, b, "/version", func() (Version, error) { return c.Version(ctx) })
	same(t, b, "/explain?"+query.Encode(), func() (Explanation, error) { return c.Explain(ctx, question) })
	same(t, b, "/routes", items(func() ([]Route, error) { return c.Routes(ctx, Filter{}) }))
	same(t, b, "/routes?cluster=paris", items(func() ([]Route, error) { return c.Routes(ctx, Filter{Cluster: "paris"}) }))
	same(t, b, "/services?name=app", items(func() ([]Service, error) { return c.Services(ctx, Filter{Name: "app"}) }))
	same(t, b, "/clusters", items(func() ([]Cluster, error) { return c.Clusters(ctx, Filter{}) }))
	same(t, b, "/hosts", items(func() ([]Host, error) { return c.Hosts(ctx, Filter{}) }))
	same(t, b, "/problems", items(func() ([]Problem, error) { return c.Problems(ctx, Filter{}) }))
	same(t, b, "/providers", items(func() ([]Provider, error) { return c.Providers(ctx, Filter{}) }))
	same(t, b, "/keys", items(func() ([]Key, error) { return c.Keys(ctx) }))
	same(t, b, "/keys/"+created.Key.ID, func() (Key, error) { return c.Key(ctx, created.Key.ID) })
	if err := c.RevokeKey(ctx, created.Key.ID); err != nil {
		t.Error(err)
	}
	told, ok := errors.AsType[*Error](c.RevokeKey(ctx, "none"))
	if !ok || told.Status != 404 || told.Detail != "no such key" {
		t.Errorf("revoking nothing: %v", told)
	}
}

func items[T any](call func() ([]T, error)) func() (List[T], error) {
	return func() (List[T], error) {
		list, err := call()
		return List[T]{list}, err
	}
}

func same[T any](t *testing.T, b *bench, target string, call func() (T, error)) {
	t.Helper()
	got, err := call()
	if err != nil {
		t.Errorf("%s: %v", target, err)
		return
	}
	var want T
	read(t, b.admins("GET", base+target, ""), &want)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %+v, not %+v", target, got, want)
	}
}

// What is not the API is told from it, and gets the key from nobody's redirect.
func TestClientOfSomethingElse(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers http.HandlerFunc
		want    string
	}{
		{"a page", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "<html>")
		}, "does not answer as the API does"},
		{"an error page", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no", http.StatusBadGateway)
		}, "Bad Gateway"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				t.Error("the key was carried elsewhere")
			}
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}, "Found"},
	} {
		s := httptest.NewServer(test.answers)
		c := NewClient(ClientOptions{URL: s.URL, Token: model.NewSecret("flk_secret")})
		_, err := c.Version(t.Context())
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "flk_secret") {
			t.Errorf("%s: %v", test.name, err)
		}
		c.Close()
		s.Close()
	}
	c := NewClient(ClientOptions{URL: "http://127.0.0.1:1"})
	_, err := c.Explain(t.Context(), Question{URL: "http://a.example", Headers: []string{"Authorization: Bearer hidden"}})
	if err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("nobody there: %v", err)
	}
}

// anyKey lets everybody in, as one key.
type anyKey struct{}

func (anyKey) Authorize(string, string) (link.Session, error) { return anyKey{}, nil }
func (anyKey) ID() string                                     { return "edge-key" }
func (anyKey) Done() <-chan struct{}                          { return nil }

// Two instances and a link between them: what one says of its follower, and the other of the cluster that it follows.
func TestClusters(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	exporter := link.NewExporter(link.ExporterOptions{
		Cluster: "paris-1", Auth: anyKey{}, Capacity: func(model.Ref) (int, int) { return 1, 2 }, Log: log,
	})
	run(t, func(ctx context.Context) { _ = exporter.Run(ctx) })
	s := httptest.NewTLSServer(exporter)
	t.Cleanup(s.Close)
	cluster := newBench(t, func(o *Options) { o.Exporter, o.Cluster = exporter, "paris" })
	cluster.set(files())
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	transport := link.NewTransport(&tls.Config{RootCAs: roots})
	t.Cleanup(transport.CloseIdleConnections)
	follower := link.NewFollower(link.FollowerOptions{
		Cluster: "paris", Addresses: []string{s.Listener.Addr().String()}, Key: func() (string, error) { return "k", nil },
		Client: transport, Grant: link.Grant{Hosts: []string{"other.example"}, Services: []string{"*"}}, Log: log,
	})
	edge := newBench(t, func(o *Options) {
		o.Followers, o.Cluster = map[string]*link.Follower{"paris": follower}, "edge"
	})
	edge.set(files())
	before := clustersOf(t, edge)[1]
	if before.Name != "paris" || before.Link != "never" || before.DataPath != "unknown" || before.Self {
		t.Errorf("before: %+v", before)
	}

	exporter.Publish(cluster.options.Catalog.Current())
	published := make(chan model.Snapshot, 16)
	run(t, func(ctx context.Context) { _ = follower.Run(ctx, func(s model.Snapshot) { published <- s }) })
	s1 := <-published
	s1.Source = "link/paris"
	edge.set(s1)
	up := clustersOf(t, edge)[1]
	if up.Link != "up" || up.RemoteName != "paris-1" || up.Refused != 1 || up.Routes != 0 || up.Since.IsZero() ||
		up.Revision == 0 {
		t.Errorf("up: %+v", up)
	}
	said := edge.admins("GET", "/api/v1/problems?cluster=paris", "")
	if !strings.Contains(said, `"code":"not_granted"`) {
		t.Errorf("the edge says: %s", said)
	}

	waitFor(t, func() bool { return len(exporter.Reports()) == 1 && len(exporter.Reports()[0].Problems) == 1 })
	own := clustersOf(t, cluster)[0]
	if !own.Self || len(own.Followers) != 1 || own.Followers[0].Key != "edge-key" || own.Followers[0].Watches != 1 ||
		own.Followers[0].Problems != 1 {
		t.Errorf("the cluster's own: %+v", own)
	}
	said = cluster.admins("GET", "/api/v1/problems?name=app", "")
	if !strings.Contains(said, `"code":"not_granted"`) || !strings.Contains(said, `"reporter":"edge-key"`) {
		t.Errorf("the cluster says: %s", said)
	}
	said = cluster.admins("GET", "/api/v1/routes?name=app", "")
	if !strings.Contains(said, `"problems":["not_granted"]`) {
		t.Errorf("the refused route: %s", said)
	}
}

// waitFor waits until something holds that comes over a connection.
func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	deadline := time.After(10 * time.Second)
	for !holds() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatal("waited for nothing")
		}
	}
}

func clustersOf(t *testing.T, b *bench) []Cluster {
	t.Helper()
	var l List[Cluster]
	read(t, b.admins("GET", "/api/v1/clusters", ""), &l)
	return l.Items
}

// The data path is as the cluster's gateways are, the best of them; what failed is no candidate.
func TestLiveState(t *testing.T) {
	b := newBench(t)
	b.set(files())
	b.set(paris())
	v := &view{hosts: map[upstream.ID]upstream.HostState{}}
	gateway := func(addr string, health upstream.Health) {
		id := upstream.ID{Addr: addr, Cluster: "paris", Gateway: true}
		v.hosts[id] = upstream.HostState{ID: id, Health: health}
	}
	for _, step := range []struct {
		health upstream.Health
		want   string
	}{{upstream.Unknown, "unknown"}, {upstream.Unhealthy, "lost"}, {upstream.Healthy, "up"}} {
		gateway(string(step.health)+":1", step.health)
		if got := upstream.DataPath(maps.Values(v.hosts), "paris"); got != step.want {
			t.Errorf("data path with a gateway that is %s: %s", step.health, got)
		}
	}
	service, _ := model.Find(b.options.Proxy.Snapshot().Services, model.ParseRef("app@file/main"))
	pool := b.options.Hosts.Pool(service, nil)
	defer pool.Close()
	for range 3 {
		host, _ := pool.Pick(new(upstream.Attempt))
		x := host.Begin()
		x.Done(upstream.Outcome{Kind: upstream.ConnectError, Err: errors.New("refused")})
	}
	said := b.admins("GET", "/api/v1/explain?url=http://app.example/", "")
	for _, want := range []string{`"lastError":"refused"`, `"ejectedUntil":`, `"reason":"panic"`} {
		if !strings.Contains(said, want) {
			t.Errorf("no %s in %s", want, said)
		}
	}
}
