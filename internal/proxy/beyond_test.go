package proxy

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

// cluster starts what stands for a cluster's link entry point, until the test ends.
func cluster(t *testing.T, h http.HandlerFunc) (addr string, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		h(w, r)
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return strings.TrimPrefix(s.URL, "https://"), asked
}

// inVain is a cluster that has tried its servers in vain, for what is below /vain.
func inVain(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/vain" {
		w.Header().Set(reasonField, reasonUpstreamError)
		w.WriteHeader(http.StatusBadGateway)
	}
}

// A cluster that has tried its servers in vain is not asked again, by no gateway of it. The request goes to
// another cluster, if it may be sent twice; else, or where there is none, the client gets the cluster's answer.
func TestClusterInVain(t *testing.T) {
	for name, c := range map[string]struct {
		method    string
		endpoints int
		status    int
	}{
		"another cluster":      {http.MethodGet, 3, http.StatusOK},
		"not to be sent twice": {http.MethodPost, 3, http.StatusBadGateway},
		"no other cluster":     {http.MethodGet, 2, http.StatusBadGateway},
	} {
		t.Run(name, func(t *testing.T) {
			first, asked := cluster(t, inVain)
			second, askedToo := cluster(t, inVain)
			oslo, _ := cluster(t, func(http.ResponseWriter, *http.Request) {})
			all := []model.Endpoint{
				{Addr: first, Cluster: "paris", Gateway: true, Weight: 1},
				{Addr: second, Cluster: "paris", Gateway: true, Weight: 1},
				{Addr: oslo, Cluster: "oslo", Gateway: true, Weight: 1},
			}[:c.endpoints]
			key := Gateway{
				TLS: &tls.Config{InsecureSkipVerify: true}, Key: func() (string, error) { return "key", nil },
			}
			b := start(t, nil, func(o *Options) { o.Gateways = map[string]Gateway{"paris": key, "oslo": key} })
			serve := func(endpoints []model.Endpoint) {
				s := to()
				s.Services[0].Endpoints = endpoints
				s.Services[0].Balance.Shares = []model.Share{
					{Cluster: "paris", Weight: 100}, {Cluster: "oslo", Tier: 1, Weight: 100},
				}
				b.Apply(s, true)
			}
			for i := range all { // each is known to be well when it has answered
				serve(all[i : i+1])
				b.get(t, "/")
			}
			serve(all)
			asked.Store(0)
			askedToo.Store(0)
			if status, h, _ := b.do(t, c.method, "/vain", http.NoBody); status != c.status {
				t.Errorf("%d %s, want %d", status, h.Get(reasonField), c.status)
			}
			if n := asked.Load() + askedToo.Load(); n != 1 {
				t.Errorf("paris was asked %d times", n)
			}
		})
	}
}
