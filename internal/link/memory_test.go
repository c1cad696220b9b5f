package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

var (
	quiet    = slog.New(slog.DiscardHandler)
	quietLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
)

// keys is an Authorizer over a table.
type keys struct {
	mu sync.Mutex
	of map[string]*testKey
}

type testKey struct {
	id     string
	scopes string
	done   chan struct{}
}

func (k *testKey) ID() string            { return k.id }
func (k *testKey) Done() <-chan struct{} { return k.done }

func newKeys() *keys {
	return &keys{of: map[string]*testKey{
		"good": {"k1", "link:read link:traffic", make(chan struct{})},
		"weak": {"k2", "link:traffic", make(chan struct{})},
	}}
}

func (k *keys) Authorize(key, scope string) (Session, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	found := k.of[key]
	switch {
	case found == nil:
		return nil, errors.New("no such key")
	case !strings.Contains(found.scopes, scope):
		return nil, ErrForbidden
	}
	return found, nil
}

func (k *keys) revoke(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.of[key].done)
	delete(k.of, key)
}

// memory is a RoundTripper that calls handlers by address. It needs no network, so time may be virtual.
type memory struct {
	mu    sync.Mutex
	hosts map[string]*host
	seen  []string // request URLs
}

// host is one address, with the ways in which it can be out of order.
type host struct {
	handler http.Handler
	refuses bool         // connections
	hangs   bool         // never answers
	mute    bool         // what it writes is lost
	cut     int          // answers end after so many bytes; 0: they do not
	written bytes.Buffer // decompressed or not, as it was written
	mu      sync.Mutex
	edit    func(*http.Request) // nil: nothing
}

func (m *memory) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	h := m.hosts[r.URL.Host]
	m.seen = append(m.seen, r.URL.String())
	m.mu.Unlock()
	if h == nil || h.refusing() {
		return nil, errors.New("connection refused")
	}
	if h.hangs {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	ctx, cancel := context.WithCancel(r.Context())
	in := r.Clone(ctx)
	if in.Body == nil {
		in.Body = http.NoBody
	}
	if h.edit != nil {
		h.edit(in)
	}
	pr, pw := io.Pipe()
	w := &answer{host: h, header: http.Header{}, head: make(chan int, 1), body: pw}
	go func() {
		h.handler.ServeHTTP(w, in)
		w.WriteHeader(http.StatusOK)
		_ = pw.Close()
	}()
	context.AfterFunc(ctx, func() { _ = pr.CloseWithError(ctx.Err()) })
	select {
	case status := <-w.head:
		return &http.Response{StatusCode: status, Header: w.header, Body: &answerBody{pr, cancel}, Request: r}, nil
	case <-r.Context().Done():
		cancel()
		return nil, r.Context().Err()
	}
}

type answerBody struct {
	*io.PipeReader
	cancel func()
}

func (b *answerBody) Close() error { b.cancel(); return b.PipeReader.Close() }

type answer struct {
	host   *host
	header http.Header
	head   chan int
	once   sync.Once
	body   *io.PipeWriter
	sent   int
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.once.Do(func() { a.head <- status }) }

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.host.mu.Lock()
	mute, limit := a.host.mute, a.host.cut
	if !mute {
		a.host.written.Write(p)
	}
	a.host.mu.Unlock()
	if mute {
		return len(p), nil
	}
	if a.sent += len(p); limit > 0 && a.sent > limit {
		_, _ = a.body.Write(p[:len(p)-(a.sent-limit)])
		_ = a.body.Close()
		return 0, io.ErrClosedPipe
	}
	return a.body.Write(p)
}

func (a *answer) Flush() {}

// said returns what the host wrote since the last call, without compression.
func (h *host) said() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.written.String()
	h.written.Reset()
	return s
}

func (h *host) refusing() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.refuses
}

func (h *host) set(f func(*host)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(h)
}

// uncompressed makes a host's answers readable.
func uncompressed(r *http.Request) { r.Header.Del("Accept-Encoding") }

// cluster is an exporter with what it is told.
type cluster struct {
	*Exporter
	host     *host
	keys     *keys
	mu       sync.Mutex
	capacity map[string][2]int
	refused  []string
}

func newCluster(name string) *cluster {
	c := &cluster{keys: newKeys(), capacity: map[string][2]int{}}
	c.Exporter = NewExporter(ExporterOptions{
		Cluster: name, Auth: c.keys, Log: quiet,
		Capacity: func(r model.Ref) (int, int) {
			c.mu.Lock()
			defer c.mu.Unlock()
			v := c.capacity[r.Name.String()]
			return v[0], v[1]
		},
		Refused: func(reason string) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.refused = append(c.refused, reason)
		},
	})
	c.host = &host{handler: c.Exporter, edit: uncompressed}
	return c
}

func (c *cluster) has(service string, ready, total int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.capacity[service] = [2]int{ready, total}
}

// route returns an offered route of a file: its host is name.example, its service the name.
func route(name string, rule ...model.Match) *model.Route {
	m := model.Leaf(model.Host, name+".example")
	if len(rule) > 0 {
		m = rule[0]
	}
	return &model.Route{
		Name: model.ParseName(name), Source: "file/main", Match: m, Priority: 10,
		Backends: []model.Backend{{Service: model.Ref{Name: model.ParseName(name)}, Weight: 1}},
		Export:   model.Export{Offered: true},
	}
}

func snapshot(routes ...*model.Route) *model.Snapshot {
	s := &model.Snapshot{Routes: routes}
	for _, r := range routes {
		s.Services = append(s.Services, &model.Service{Name: r.Name, Source: r.Source})
	}
	s.Sort()
	return s
}

var everything = Grant{Hosts: []string{"*"}, Services: []string{"*"}, EntryPoints: []string{"web", "websecure"}}

// edge is a follower and what it published last.
type edge struct {
	*Follower
	net  *memory
	mu   sync.Mutex
	last *model.Snapshot
	n    int
}

func newEdge(net *memory, change func(*FollowerOptions), addresses ...string) *edge {
	o := FollowerOptions{
		Cluster: "fra", Addresses: addresses, Key: func() (string, error) { return "good\n", nil },
		Client: net, Grant: everything, Log: quiet,
		Policy: func(model.Name) (model.Balance, *model.Sticky) {
			shares := []model.Share{{Cluster: "fra", Tier: 1, Weight: 50}, {Cluster: "other", Weight: 7}}
			return model.Balance{Shares: shares}, &model.Sticky{Name: "place"}
		},
	}
	if change != nil {
		change(&o)
	}
	return &edge{Follower: NewFollower(o), net: net}
}

func (e *edge) publish(s model.Snapshot) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last = &s
	e.n++
}

// got returns the last snapshot (nil: none) and how many there were.
func (e *edge) got() (*model.Snapshot, int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last, e.n
}

func (e *edge) names() string {
	s, _ := e.got()
	if s == nil {
		return "nothing"
	}
	var names []string
	for _, r := range s.Routes {
		names = append(names, r.Name.String())
	}
	return strings.Join(names, " ")
}

func (e *edge) route(name string) *model.Route {
	s, _ := e.got()
	r, _ := model.Find(s.Routes, model.Ref{Name: model.ParseName(name), Source: "link/fra"})
	return r
}

// start runs f until stop is called, which returns how it ended.
func start(f func(context.Context) error) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}

// run follows as provider.Run does: again and again, a second later.
func (e *edge) run() (stop func() error) {
	return start(func(ctx context.Context) error {
		for ctx.Err() == nil {
			_ = e.Run(ctx, e.publish)
			pause(ctx, time.Second)
		}
		return nil
	})
}

func wait(d time.Duration) {
	pause(context.Background(), d)
	synctest.Wait()
}

func text(values ...any) string { return strings.TrimSpace(fmt.Sprintln(values...)) }

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
