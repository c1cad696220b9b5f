package providertest

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider"
)

// Working is one Run of a provider, for tests of what no other does.
type Working struct {
	Published chan model.Snapshot

	t      *testing.T
	say    func(model.Snapshot) string
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of Run; read after done
}

// Start runs a provider until the test ends, and then looks for what it has left. say is what Until goes by.
func Start(t *testing.T, p provider.Provider, say func(model.Snapshot) string) *Working {
	t.Helper()
	ignore := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(t.Context())
	w := &Working{
		Published: make(chan model.Snapshot, 1000), t: t, say: say, cancel: cancel, done: make(chan struct{}),
	}
	go func() {
		defer close(w.done)
		w.err = p.Run(ctx, func(s model.Snapshot) { w.Published <- s })
	}()
	t.Cleanup(func() {
		_ = w.Stop()
		goleak.VerifyNone(t, ignore)
	})
	return w
}

// Until returns the first snapshot of which this is said.
func (w *Working) Until(want string) model.Snapshot {
	w.t.Helper()
	last := "nothing"
	end := time.After(deadline)
	for {
		select {
		case s := <-w.Published:
			if last = w.say(s); last == want {
				return s
			}
		case <-w.done:
			w.t.Fatalf("ended: %v", w.err)
		case <-end:
			w.t.Fatalf("last published %q, want %q", last, want)
		}
	}
}

// Wait returns the error with which it ends by itself.
func (w *Working) Wait() error {
	w.t.Helper()
	select {
	case <-w.done:
	case <-time.After(deadline):
		w.t.Fatal("it does not end")
	}
	return w.err
}

// Stop ends it, and returns its error.
func (w *Working) Stop() error {
	w.cancel()
	<-w.done
	return w.err
}

// Services says which endpoints the services have: "a=1.2.3.4:80,1.2.3.5:80! b=" (! is not ready).
func Services(s model.Snapshot) string {
	var all []string
	for _, service := range s.Services {
		var list []string
		for _, e := range service.Endpoints {
			list = append(list, e.Addr+map[model.EndpointState]string{model.NotReady: "!"}[e.State])
		}
		all = append(all, service.Name.Name+"="+strings.Join(list, ","))
	}
	return strings.Join(all, " ")
}

// Ports says which endpoints on this machine there are, and how they are: ":81 :82draining ".
func Ports(s model.Snapshot) (all string) {
	for _, service := range s.Services {
		for _, e := range service.Endpoints {
			all += strings.TrimPrefix(e.Addr, "127.0.0.1") + string(e.State) + " "
		}
	}
	return all
}

// Spoilt returns rules and one that cannot be understood.
func Spoilt(rules map[string]string) map[string]string {
	rules = maps.Clone(rules)
	rules["bad"] = "Hos(`"
	return rules
}
