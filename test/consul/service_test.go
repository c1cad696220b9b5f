package consul_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
	"github.com/fairlead/fairlead/test/lab"
)

// service is one instance of a service: it says its ID, and is as well as it is told to be.
type service struct {
	*httptest.Server
	id   string
	sick atomic.Bool
}

func newService(t *testing.T, id string) *service {
	t.Helper()
	s := &service{id: id}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" && s.sick.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, id)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) port() int { return s.Listener.Addr().(*net.TCPAddr).Port }

func (s *service) register(t *testing.T, c *lab.Consul) {
	t.Helper()
	s.registerAs(t, c, "shop")
}

// registerAs registers it at an agent, as an instance of a service.
func (s *service) registerAs(t *testing.T, c *lab.Consul, name string) {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"ID": s.id, "Name": name, "Address": "127.0.0.1", "Port": s.port(),
		"Tags":  []string{"traefik.http.routers." + name + ".rule=Host(`" + name + ".example`)"},
		"Check": map[string]string{"HTTP": s.URL + "/healthz", "Interval": "1s", "Timeout": "1s"},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Do("PUT", "/v1/agent/service/register", string(text))
}

// suite is an instance that follows a Consul.
type suite struct {
	t        *testing.T
	instance *instance.Instance
	customer *instance.Customer
}

// patience is how long Consul, and the instance that follows it, may take.
const patience = time.Minute

// says waits until those that answer for a host are these, all of them in a row of requests.
func (s *suite) says(host string, want ...string) {
	s.t.Helper()
	customer := instance.NewCustomer(s.t, s.instance.Address(s.t, "plain"), host)
	instance.Await(s.t, patience, host+" is served by "+strings.Join(want, ", "), func() bool {
		seen := map[string]bool{}
		for range 4 * len(want) {
			status, body := customer.Ask("/")
			if status != http.StatusOK {
				body = strconv.Itoa(status)
			}
			seen[body] = true
		}
		for _, one := range want {
			if !seen[one] {
				return false
			}
		}
		return len(seen) == len(want)
	})
}

// problems waits until there are this many of a code.
func (s *suite) problems(code string, want float64) {
	s.t.Helper()
	name := `fairlead_problems{code="` + code + `"}`
	instance.Await(s.t, patience, "problems "+code, func() bool { return s.instance.Read(s.t)[name] == want })
}
