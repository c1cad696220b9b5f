package upstream

import "fmt"

// Kind says how an exchange with a host ended.
type Kind int

// The kinds of outcomes.
const (
	// Abandoned says nothing about the host: the client went away, or something of ours was short (files, ports,
	// memory).
	Abandoned Kind = iota
	// Answered: the head of an answer came.
	Answered
	// ConnectError: no connection could be made, TLS included. Nothing was written.
	ConnectError
	// Timeout: connected, but no answer in time.
	Timeout
	// Broken: the connection broke before the answer was complete.
	Broken
)

// String names the kind for people.
func (k Kind) String() string {
	switch k {
	case Answered:
		return "answered"
	case ConnectError:
		return "could not connect"
	case Timeout:
		return "no answer in time"
	case Broken:
		return "connection broke"
	}
	return "abandoned"
}

// Outcome is how an exchange with a host ended. The zero value says nothing about the host.
type Outcome struct {
	Kind   Kind
	Status int   // of the answer
	Err    error // what went wrong, for people; may be nil
}

// Exchange is one attempt to have a request answered by a host. It is a value, for one goroutine at a time: keep it
// where the request is kept. The zero value does nothing.
type Exchange struct {
	host  *Host
	began int64
	heard bool // the head was reported
	over  bool
}

// Begin counts a request as in flight at the host. [Exchange.Done] must follow.
func (h *Host) Begin() Exchange {
	h.inFlight.Add(1)
	h.requests.Add(1)
	return Exchange{host: h, began: h.hosts.now()}
}

// Answered reports the head of the final answer, when it comes. It is what latency and health are taken from, so that
// the length of a stream does not count as slowness. Optional: Done with [Answered] does it too.
func (x *Exchange) Answered(status int) {
	if x.heard || x.over || x.host == nil {
		return
	}
	x.heard = true
	h, now, failed := x.host, x.host.hosts.now(), status >= 500
	h.observe(now-x.began, now, failed)
	h.answered.Store(now)
	if failed && h.strict.Load() && !h.id.Gateway {
		h.failed(x.began, Outcome{Kind: Answered, Status: status, Err: fmt.Errorf("status %d", status)})
		return
	}
	if failed {
		h.failures.Add(1)
	}
	if h.alert.Load() {
		h.succeeded(x.began, now, failed)
	}
}

// Done ends the exchange. Only the first call counts.
func (x *Exchange) Done(o Outcome) {
	if x.over || x.host == nil {
		return
	}
	switch o.Kind {
	case Answered:
		x.Answered(o.Status)
	case ConnectError, Timeout, Broken:
		x.host.failed(x.began, o)
	}
	x.over = true
	x.host.inFlight.Add(-1)
}
