package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	// chunk is how much of a watch is written at a time; writeLimit is how long a follower may take to accept it.
	chunk      = 64 << 10
	writeLimit = 10 * time.Second
)

func (e *Exporter) serveWatch(w http.ResponseWriter, r *http.Request, s Session) {
	version, err := agree(r.Header)
	if err != nil {
		e.refuse(w, http.StatusBadRequest, "bad_request", err.Error())
		return
	}
	if _, ready := e.since(0, false); !ready {
		e.notReady(w)
		return
	}
	if !e.tellers.enter(s.ID(), e.o.WatchesPerKey) {
		e.refuse(w, http.StatusTooManyRequests, "too_many_watches", "this key has too many watches open")
		return
	}
	defer e.tellers.leave(s.ID())

	h := w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	out, coding := compress(w, r.Header.Get("Accept-Encoding"))
	if coding != "" {
		h.Set("Content-Encoding", coding)
	}
	watch := &watch{e: e, out: out, conn: http.NewResponseController(w)}
	ctx, release := watch.bind(r.Context(), s)
	defer release()
	e.o.Log.Debug("a follower watches", "key", s.ID(), "from", r.RemoteAddr)
	err = watch.run(ctx, Hello{version, e.o.Cluster, e.epoch}, r.URL.Query().Get("since"))
	e.o.Log.Debug("a follower's watch ended", "key", s.ID(), "reason", err)
}

// watch is one follower's stream.
type watch struct {
	e    *Exporter
	out  compressor
	conn *http.ResponseController
	buf  bytes.Buffer

	mu    sync.Mutex
	ended bool
}

var (
	errKeyEnded  = errors.New("the key was revoked or has expired")
	errStopping  = errors.New("the exporter stops")
	errWatchOver = errors.New("the watch is over")
)

// bind ends the watch when the key, the exporter or the request ends, also in the middle of a write to a follower that
// does not read. release must be called before the handler returns.
func (w *watch) bind(parent context.Context, s Session) (ctx context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(parent)
	var guard sync.WaitGroup
	guard.Go(func() {
		select {
		case <-s.Done():
			cancel(errKeyEnded)
		case <-w.e.ended:
			cancel(errStopping)
		case <-ctx.Done():
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ended = true
		if !errors.Is(context.Cause(ctx), errWatchOver) {
			_ = w.conn.SetWriteDeadline(time.Now()) // where there are no deadlines, writes end with the request
		}
	})
	return ctx, func() {
		cancel(errWatchOver)
		guard.Wait()
	}
}

// run writes until ctx is done or the follower is gone; it says which.
func (w *watch) run(ctx context.Context, hello Hello, since string) error {
	_ = w.conn.SetReadDeadline(time.Time{}) // a watch outlasts every limit on a request
	w.line(Event{Hello: &hello})
	seen, resumed := w.e.resumable(since)
	var beats uint64
	for first := true; ; first = false {
		n, _ := w.e.since(seen, first && !resumed)
		if err := w.tell(n, first, n.beats != beats && !first); err != nil {
			return err
		}
		seen, beats = n.rev, n.beats
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-n.more:
		}
	}
}

// resumable reads EPOCH:REV. What it cannot use means that the follower gets everything.
func (e *Exporter) resumable(since string) (rev uint64, ok bool) {
	epoch, text, _ := strings.Cut(since, ":")
	rev, err := strconv.ParseUint(text, 10, 64)
	return rev, err == nil && epoch == e.epoch
}

// tell writes the news: the objects, capacity, "synced", and then the heartbeat. A follower may be cut off after any
// line, and resumes from the last revision that it was told: so only the last line that brings something tells one.
func (w *watch) tell(n news, first, beat bool) error {
	var measured []Service
	if n.full {
		w.line(Event{Reset: true})
	}
	changed := n.full || first
	for _, c := range n.changes {
		if c.measured {
			measured = append(measured, c.capacity)
			continue
		}
		changed = true
		w.object(c)
		if w.buf.Len() >= chunk {
			if err := w.write(); err != nil {
				return err
			}
		}
	}
	slices.SortFunc(measured, byServiceName)
	for len(measured) > 0 && (changed || len(measured) > maxBeat) {
		some := min(len(measured), maxBeat)
		w.line(Event{Heartbeat: &Heartbeat{Capacity: measured[:some]}})
		measured = measured[some:]
	}
	if changed {
		w.line(Event{Rev: n.rev, Synced: true})
	}
	if beat || len(measured) > 0 {
		w.line(Event{Rev: n.rev, Heartbeat: &Heartbeat{Capacity: measured}})
	}
	if err := w.write(); err != nil {
		return err
	}
	if err := w.out.Flush(); err != nil {
		return err
	}
	return w.conn.Flush()
}

// maxBeat is how many services one heartbeat names: with the longest names it stays below the limit on a line.
const maxBeat = 1000

func (w *watch) line(ev Event) {
	w.buf.Write(encode(ev))
	w.buf.WriteByte('\n')
}

// object writes what line would, from JSON that is made once for all watches.
func (w *watch) object(c change) {
	if c.object == nil {
		del := &Del{Route: c.name}
		if c.kind == model.KindService {
			del = &Del{Service: c.name}
		}
		w.line(Event{Rev: c.rev, Del: del})
		return
	}
	fmt.Fprintf(&w.buf, "{\"rev\":%d,\"set\":{%q:%s}}\n", c.rev, c.kind, c.object)
}

func (w *watch) write() error {
	w.mu.Lock()
	if w.ended {
		w.mu.Unlock()
		return errWatchOver
	}
	_ = w.conn.SetWriteDeadline(time.Now().Add(writeLimit))
	w.mu.Unlock()
	_, err := w.out.Write(w.buf.Bytes())
	w.buf.Reset()
	return err
}
