// Package redis runs two instances that count the requests of clients together in a real Redis, which is stopped and
// started while they serve.
package redis_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
)

const (
	password = "the-password-of-the-suite"
	patience = 20 * time.Second
)

// server runs Redis on an address until stop is called.
func server(t *testing.T, address string) (stop func()) {
	t.Helper()
	host, port, _ := net.SplitHostPort(address)
	cmd := exec.Command(instance.Need(t, "redis-server", "redis-server"), "--bind", host, "--port", port, "--save", "",
		"--appendonly", "no", "--requirepass", password, "--dir", t.TempDir())
	stop = instance.Serve(t, cmd)
	instance.AwaitListener(t, patience, address)
	return stop
}

// ask sends n requests of a client to the instances by turns, and counts the answers by status.
func ask(t *testing.T, client string, n int, urls ...string) map[int]int {
	t.Helper()
	got, browser := map[int]int{}, &http.Client{Timeout: 10 * time.Second}
	for i := range n {
		r, err := http.NewRequest(http.MethodGet, urls[i%len(urls)], nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Client", client)
		answer, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		got[answer.StatusCode]++
	}
	return got
}

func TestRedis(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	service := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(service.Close)
	address := instance.FreeAddress(t)
	stop := server(t, address)
	values := map[string]string{"SERVICE": service.URL, "REDIS": address, "PASSWORD": password}
	first, second := instance.Start(t, "testdata", values), instance.Start(t, "testdata", values)
	urls := []string{"http://" + first.Address(t, "plain"), "http://" + second.Address(t, "plain")}
	check := func(when, client string, admitted int) {
		t.Helper()
		if got := ask(t, client, 20, urls...); got[200] != admitted || got[200]+got[429] != 20 {
			t.Errorf("%s: of 20 requests, %v; want %d admitted, and the rest 429", when, got, admitted)
		}
	}
	check("counting together", "a", 4)
	check("another client", "b", 4)

	stop()
	check("Redis is stopped: each instance counts for itself", "c", 8)
	problem := `fairlead_problems{code="unreachable"}`
	for _, i := range []*instance.Instance{first, second} {
		instance.Await(t, patience, "the problem is told", func() bool { return i.Read(t)[problem] == 1 })
		if n := strings.Count(i.Log(), "is away"); n != 1 || strings.Contains(i.Log(), password) {
			t.Errorf("it is told %d times:\n%s", n, i.Log())
		}
	}

	server(t, address)
	instance.Await(t, patience, "both have noticed that Redis is back", func() bool {
		ask(t, "d", 2, urls...)
		return strings.Contains(first.Log(), "is back:") && strings.Contains(second.Log(), "is back:")
	})
	check("counting together again", "e", 4)
	for _, i := range []*instance.Instance{first, second} {
		instance.Await(t, patience, "the problem is gone", func() bool { return i.Read(t)[problem] == 0 })
	}
}
