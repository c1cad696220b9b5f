package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/machines"
	"github.com/fairlead/fairlead/internal/store"
)

// withMachines lets programs register.
func withMachines(t *testing.T) *bench {
	t.Helper()
	s, err := store.Open(t.TempDir() + "/store.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	m, err := machines.New(machines.Config{Source: "machines/main"}, s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return newBench(t, func(o *Options) { o.Machines = m })
}

func TestRegistrations(t *testing.T) {
	b := withMachines(t)
	const path = "/api/v1/registrations/shop/10.0.0.7:80"
	var first, second Registration
	read(t, b.admins("PUT", path, `{"check":{"path":"/up","interval":"5s","timeout":"2s"},"weight":0,"ttl":"1m"}`), &first)
	if first.Service != "shop" || first.Address != "10.0.0.7:80" || first.Protocol != "http" || first.State != "ready" ||
		first.Weight != 0 || *first.Check != (RegistrationCheck{"/up", "5s", "2s"}) || first.TTL != "1m0s" {
		t.Errorf("registered: %+v", first)
	}
	if left := time.Until(first.Ends); left < 50*time.Second || left > time.Minute || first.By == "" {
		t.Errorf("the lease ends in %v, by %q", left, first.By)
	}
	read(t, b.admins("PUT", path, `{"state":"draining","labels":{"traefik.enable":"true"}}`), &second)
	if second.State != "draining" || second.Weight != 1 || !second.Since.Equal(first.Since) || second.Labels == nil {
		t.Errorf("registered again: %+v", second)
	}
	var list List[Registration]
	read(t, b.admins("GET", "/api/v1/registrations?name=shop", ""), &list)
	if len(list.Items) != 1 || list.Items[0].State != "draining" {
		t.Errorf("listed: %+v", list)
	}
	if w := b.call("DELETE", path, b.admin, ""); w.Code != http.StatusNoContent {
		t.Errorf("deregistered: %d %s", w.Code, w.Body)
	}
	if w := b.call("DELETE", path, b.admin, ""); w.Code != http.StatusNotFound {
		t.Errorf("deregistered twice: %d", w.Code)
	}
}

// A key registers what its scope names.
func TestRegisterScopes(t *testing.T) {
	b := withMachines(t)
	labels := `{"labels":{"traefik.http.routers.a.rule":"Host(` + "`a`" + `)"}}`
	for _, test := range []struct {
		scope, service, body string
		want                 int
	}{
		{"register:shop", "shop", `{}`, 200},
		{"register:shop", "shop2", `{}`, 403},
		{"register:shop", "sho", `{}`, 403},
		{"register:shop", "*", `{}`, 403},
		{"register:shop", "shop", labels, 403},
		{"register:*", "shop", labels, 200},
		{"register:*", "other", `{}`, 200},
		{"register:*", "*", `{}`, 422},
		{"api:write", "shop", `{}`, 403},
		{"route:*", "shop", `{}`, 403},
		{"admin", "shop", labels, 200},
	} {
		w := b.call("PUT", "/api/v1/registrations/"+test.service+"/10.0.0.7:80", b.key(test.scope), test.body)
		if w.Code != test.want {
			t.Errorf("%s, service %s, %s: %d %s", test.scope, test.service, test.body, w.Code, w.Body)
		}
	}
}

func TestRegisterMistakes(t *testing.T) {
	b := withMachines(t)
	for body, want := range map[string]int{
		`{"ttl":"soon"}`:                  400,
		`{"ttl":"-5s"}`:                   400,
		`{"ttl":"2h"}`:                    422,
		`{"weight":-1}`:                   422,
		`{"protocol":"ftp"}`:              422,
		`{"check":{"interval":"x"}}`:      400,
		`{"check":{"path":"no slash"}}`:   422,
		`{"wieght":1}`:                    400,
		``:                                400,
		strings.Repeat(" ", 1<<17) + "{}": 413,
	} {
		if w := b.call("PUT", "/api/v1/registrations/shop/10.0.0.7:80", b.admin, body); w.Code != want {
			t.Errorf("%.40s: %d %s", body, w.Code, w.Body)
		}
	}
	if w := newBench(t).call("PUT", "/api/v1/registrations/shop/10.0.0.7:80", b.admin, `{}`); w.Code != 401 {
		t.Errorf("another instance's key: %d", w.Code)
	}
	none := newBench(t)
	if w := none.call("PUT", "/api/v1/registrations/shop/10.0.0.7:80", none.admin, `{}`); w.Code != 404 ||
		!strings.Contains(w.Body.String(), "providers: {machines: {}}") {
		t.Errorf("without the provider: %d %s", w.Code, w.Body)
	}
}

// Where no host is given, it is whoever asks. The client sends what the API reads.
func TestRegisterFromHere(t *testing.T) {
	b := withMachines(t)
	server := httptest.NewServer(b.Handler)
	defer server.Close()
	c := NewClient(ClientOptions{URL: server.URL, Token: model.NewSecret(b.admin)})
	defer c.Close()
	ctx := context.Background()
	r, err := c.Register(ctx, "shop", ":8081", RegistrationSpec{})
	if err != nil || r.Address != "127.0.0.1:8081" {
		t.Fatalf("%+v, %v", r, err)
	}
	list, err := c.Registrations(ctx, Filter{Name: "shop@machines"})
	if err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	if err := c.Deregister(ctx, "shop", ":8081"); err != nil {
		t.Error(err)
	}
}
