package cert

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead/fairlead/internal/model"
)

// Workload is who the instance is by SPIFFE: the workload API says so, and whom to trust, and says it anew before it
// ends. Until it has, no handshake succeeds; nothing waits for it.
type Workload struct {
	identity
	addr    string
	log     *slog.Logger
	failing atomic.Pointer[error] // why the API cannot be asked; nil: it can
}

// NewWorkload returns one that asks the API at an address, such as "unix:///run/spire/agent.sock".
func NewWorkload(addr string, log *slog.Logger) *Workload {
	return &Workload{identity: identity{from: "the workload API"}, addr: addr, log: log}
}

// askAgain is how long after its end a watch begins anew.
const askAgain = 5 * time.Second

// Run follows what the API says, until ctx is done.
func (w *Workload) Run(ctx context.Context) error {
	for {
		err := workloadapi.WatchX509Context(ctx, w, workloadapi.WithAddr(w.addr))
		if ctx.Err() != nil {
			return nil
		}
		w.failing.Store(&err)
		select { // few errors end a watch, but an agent that stops may; requests go on
		case <-time.After(askAgain):
		case <-ctx.Done():
			return nil
		}
	}
}

// OnX509ContextUpdate is part of workloadapi.X509ContextWatcher.
func (w *Workload) OnX509ContextUpdate(now *workloadapi.X509Context) {
	w.current.Store(now)
	w.failing.Store(nil)
	w.log.Info("the workload API says who we are", "id", now.DefaultSVID().ID.String())
}

// OnX509ContextWatchError is part of workloadapi.X509ContextWatcher.
func (w *Workload) OnX509ContextWatchError(err error) {
	if status.Code(err) == codes.Canceled {
		return // Run knows why
	}
	w.failing.Store(&err)
	w.log.Warn("the workload API cannot be asked", "address", w.addr, "error", err)
}

// Problems says that the API cannot be asked.
func (w *Workload) Problems() []model.Problem {
	err := w.failing.Load()
	if err == nil {
		return nil
	}
	problem := model.Problem{
		Object: model.Object{Kind: "spiffe"}, Field: "spiffe.workloadAPIAddr", Code: model.Stale,
		Message: fmt.Sprintf("the workload API at %s cannot be asked: %v; what it said last is used", w.addr, *err),
	}
	return []model.Problem{problem}
}
