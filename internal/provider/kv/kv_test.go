package kv_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/kv"
	"github.com/fairlead/fairlead/internal/provider/providertest"
)

const source = model.Source("etcd/main")

// fake is a store in memory.
type fake struct {
	mu      sync.Mutex
	texts   map[string]string
	broken  bool
	changed chan struct{} // closed and replaced with every change
}

func newFake() *fake { return &fake{changed: make(chan struct{})} }

func (f *fake) change(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fake) Follow(ctx context.Context, tell func(map[string]string) error) error {
	for {
		f.mu.Lock()
		texts, broken, changed := maps.Clone(f.texts), f.broken, f.changed
		f.mu.Unlock()
		if broken {
			return errors.New("away")
		}
		if err := tell(texts); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

func keys(rules map[string]string) map[string]string {
	texts := map[string]string{}
	for name, rule := range rules {
		texts["http/routers/"+name+"/rule"] = rule
		texts["http/routers/"+name+"/service"] = name
		texts["http/services/"+name+"/loadbalancer/servers/0/url"] = "http://127.0.0.1:80"
	}
	return texts
}

func TestContract(t *testing.T) {
	providertest.Run(t, providertest.Harness{Start: func(*testing.T) providertest.Place {
		f := newFake()
		return providertest.Place{
			Source: source, Provider: kv.New(source, "traefik", f),
			Set: func(rules map[string]string) { f.change(func() { f.texts = keys(rules) }) },
			Spoil: func(rules map[string]string) {
				f.change(func() {
					f.texts = keys(rules)
					f.texts["http/routers/bad/rule"] = "Hos(`"
				})
			},
			Break: func() { f.change(func() { f.broken = true }) },
			Heal:  func() { f.change(func() { f.broken = false }) },
		}
	}})
}

// snapshot returns what becomes of texts.
func snapshot(t *testing.T, texts map[string]string) (s model.Snapshot, err error) {
	t.Helper()
	f := newFake()
	f.texts = texts
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err = kv.New(source, "traefik", f).Run(ctx, func(published model.Snapshot) {
		s = published
		cancel()
	})
	return s, err
}

// The examples of Traefik's page about key-value stores, as they stand there.
func TestTraefiksExamples(t *testing.T) {
	page := map[string]string{
		"traefik/http/routers/www-router/rule":                              "Host(`example-a.com`)",
		"traefik/http/routers/www-router/service":                           "www-service",
		"traefik/http/services/www-service/loadbalancer/servers/0/url":      "http://127.0.0.1:8000",
		"traefik/http/routers/admin-router/rule":                            "Host(`example-b.com`)",
		"traefik/http/routers/admin-router/service":                         "admin-service",
		"traefik/http/routers/admin-router/entrypoints/0":                   "web",
		"traefik/http/routers/admin-router/entrypoints/1":                   "websecure",
		"traefik/http/routers/admin-router/middlewares/0":                   "auth",
		"traefik/http/routers/admin-router/middlewares/1":                   "prefix",
		"traefik/http/routers/admin-router/priority":                        "42",
		"traefik/http/middlewares/auth/basicauth/users/0":                   "test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/",
		"traefik/http/middlewares/prefix/addprefix/prefix":                  "/foo",
		"traefik/http/services/admin-service/loadbalancer/servers/0/url":    "http://127.0.0.1:9000",
		"traefik/http/services/admin-service/loadbalancer/servers/0/weight": "1",
		"traefik/http/services/admin-service/loadbalancer/passhostheader":   "true",

		"traefik/http/services/admin-service/loadbalancer/healthcheck/headers/X-Foo":        "foobar",
		"traefik/http/services/admin-service/loadbalancer/healthcheck/path":                 "/foo",
		"traefik/http/services/admin-service/loadbalancer/healthcheck/interval":             "10",
		"traefik/http/services/admin-service/loadbalancer/sticky/cookie/name":               "foobar",
		"traefik/http/services/admin-service/loadbalancer/responseforwarding/flushinterval": "10",
		"traefik/tcp/routers/mytcprouter/rule":                                              "HostSNI(`example.com`)",
		"traefik/tcp/routers/mytcprouter/service":                                           "mytcpservice",
		"traefik/tcp/routers/mytcprouter/tls/passthrough":                                   "true",
		"traefik/tcp/services/mytcpservice/loadbalancer/servers/0/address":                  "127.0.0.1:80",
		"traefik/udp/routers/myudprouter/entrypoints/0":                                     "foobar",
		"traefik/udp/routers/myudprouter/service":                                           "myudpservice",
		"traefik/udp/services/myudpservice/loadBalancer/servers/0/address":                  "127.0.0.1:53",
	}
	texts := map[string]string{}
	for key, text := range page {
		below, ok := kv.Below("traefik", key)
		if !ok {
			t.Fatal(key)
		}
		texts[below] = text
	}
	s, _ := snapshot(t, texts)
	for _, p := range s.Problems {
		t.Error(p)
	}
	if len(s.Routes) != 4 || len(s.Services) != 4 || len(s.Middlewares) != 2 {
		t.Errorf("%d routes, %d services, %d middlewares", len(s.Routes), len(s.Services), len(s.Middlewares))
	}
}

// What Traefik's labels cannot say can be said in keys.
func TestServicesThatUseOthers(t *testing.T) {
	texts := keys(map[string]string{"a": "Host(`a`)", "b": "Host(`b`)"})
	for key, text := range map[string]string{
		"http/services/f/failover/service":                    "a",
		"http/services/f/failover/fallback":                   "b",
		"http/services/m/mirroring/service":                   "f",
		"http/services/m/mirroring/mirrors/0/name":            "b",
		"http/services/m/mirroring/mirrors/0/percent":         "10",
		"http/services/w/weighted/services/0/name":            "m",
		"http/services/w/weighted/services/0/weight":          "3",
		"http/services/w/weighted/services/1/name":            "a",
		"http/services/h/highestRandomWeight/services/0/name": "a",
		"http/serversTransports/t/serverName":                 "a.example",
		"http/services/a/loadbalancer/serversTransport":       "t",
		"http/services/b/loadbalancer/serversTransport":       "inside@file",
		"http/routers/w/rule":                                 "Host(`w`)",
		"http/routers/w/service":                              "w",
		"http/routers/w/export":                               "true",
	} {
		texts[key] = text
	}
	s, _ := snapshot(t, texts)
	for _, p := range s.Problems {
		t.Error(p)
	}
	if len(s.Services) != 6 || len(s.Routes) != 3 || len(s.Transports) != 1 {
		t.Errorf("%d services, %d routes, %d transports", len(s.Services), len(s.Routes), len(s.Transports))
	}
	if got := s.Services[1].Transport.String(); got != "inside@file" {
		t.Errorf("b names the transport %s", got)
	}
}

func TestKeysThatLeadNowhere(t *testing.T) {
	texts := keys(map[string]string{"a": "Host(`a`)"})
	texts["http//x"], texts["http/routers/a/rule/x"] = "1", "2"
	s, _ := snapshot(t, texts)
	if len(s.Routes) != 1 || len(s.Problems) != 2 {
		t.Errorf("%d routes, problems %v", len(s.Routes), s.Problems)
	}
	for i := range 1000 {
		texts[fmt.Sprintf("http//%d", i)] = "1"
	}
	s, _ = snapshot(t, texts)
	if len(s.Problems) != 101 || !strings.Contains(fmt.Sprint(s.Problems), "902 more keys") {
		t.Errorf("%d problems, want 101", len(s.Problems))
	}
}

func TestTooMuch(t *testing.T) {
	_, err := snapshot(t, map[string]string{"http/routers/a/rule": strings.Repeat("x", 33<<20)})
	if err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("error %v", err)
	}
}

func TestBelow(t *testing.T) {
	for key, want := range map[string]string{
		"traefik/http/x": "http/x", "traefik/http/": "", "traefik": "", "traefik/": "", "traefikx/http": "",
		"a/traefik/b": "",
	} {
		if got, ok := kv.Below("traefik", key); ok != (want != "") || ok && got != want {
			t.Errorf("Below(%q) = %q, %v", key, got, ok)
		}
	}
}

func TestSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := make(chan int)
		go func() { // a burst, silence, and then one without end
			for i := range 3 {
				events <- i
			}
			time.Sleep(time.Second)
			for i := 0; ; i++ {
				select {
				case events <- i:
					time.Sleep(time.Millisecond)
				case <-t.Context().Done():
					return
				}
			}
		}()
		n, began := 0, time.Now()
		count := func(int) error { n++; return nil }
		err := kv.Settle(t.Context(), events, count)
		if err != nil || n != 3 || time.Since(began) != 5*time.Millisecond {
			t.Errorf("%v: %d events in %v", err, n, time.Since(began))
		}
		<-events
		began = time.Now()
		if err := kv.Settle(t.Context(), events, count); err != nil || time.Since(began) != 50*time.Millisecond {
			t.Errorf("%v: an endless burst is let go after %v", err, time.Since(began))
		}
	})
}
