package kv_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
)

// patience is how long a store, and the instance that follows it, may take.
const patience = time.Minute

// store is a real server whose data outlive its process.
type store interface {
	// start runs it on an address until stop is called.
	start(t *testing.T, address, folder string) (stop func())
	// put sets a key, or deletes it (text "").
	put(address, key, text string) error
}

func TestStores(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	program := instance.Program(t)
	for kind, s := range map[string]store{
		"consul": &consul{}, "etcd": etcd{}, "redis": redis{}, "zooKeeper": zookeeper{},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			check(t, program, kind, s)
		})
	}
}

func service(t *testing.T, says string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, says)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func check(t *testing.T, program, kind string, s store) {
	address, data := instance.FreeAddress(t), t.TempDir()
	stop := s.start(t, address, data)
	put := func(key, text string) {
		t.Helper()
		if err := s.put(address, "traefik/"+key, text); err != nil {
			t.Fatalf("putting %s: %v", key, err)
		}
	}
	instance.Await(t, patience, "the store takes a key", func() bool {
		return s.put(address, "traefik/http/routers/shop/rule", "Host(`shop.example`)") == nil
	})
	put("http/routers/shop/service", "shop")
	put("http/services/shop/loadbalancer/servers/0/url", service(t, "one"))

	folder := t.TempDir()
	providers := fmt.Sprintf("{%s: {endpoints: [%q]}}", kind, address)
	values := map[string]string{"PROVIDERS": providers, "SERVICE": "http://unused"}
	if err := instance.Lay(folder, "testdata", values); err != nil {
		t.Fatal(err)
	}
	i := instance.StartIn(t, program, folder)
	says := func(host, want string) { t.Helper(); says(t, i, host, want) }
	problems := func(code string, want float64) { t.Helper(); awaitProblems(t, i, code, want) }
	says("shop.example", "one")

	// A change, one more, a bad one, and an end.
	put("http/services/shop/loadbalancer/servers/0/url", service(t, "two"))
	says("shop.example", "two")
	put("http/routers/blog/rule", "Host(`blog.example`)")
	put("http/routers/blog/service", "shop")
	says("blog.example", "two")
	put("http/routers/bad/rule", "Hos(`")
	put("http/routers/bad/service", "shop")
	problems("invalid_rule", 1)
	put("http/routers/bad/rule", "")
	put("http/routers/bad/service", "")
	problems("invalid_rule", 0)
	put("http/routers/blog/rule", "")
	put("http/routers/blog/service", "")
	says("blog.example", "404")

	// The store is away: all is served on, and told.
	stop()
	problems("stale", 1)
	if got := get(t, i, "shop.example"); got != "two" {
		t.Errorf("without its store, the instance says %q", got)
	}
	s.start(t, address, data)
	problems("stale", 0)
	if got := get(t, i, "shop.example"); got != "two" {
		t.Errorf("once its store is back, the instance says %q", got)
	}
	put("http/services/shop/loadbalancer/servers/0/url", service(t, "three"))
	says("shop.example", "three")
}

// get returns what a host says: its text, or the status where that is not 200.
func get(t *testing.T, i *instance.Instance, host string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+i.Address(t, "plain"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		return strings.Fields(answer.Status)[0]
	}
	return string(text)
}
