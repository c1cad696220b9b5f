package proxy

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/upstream"
)

// backend is a service of a rule: the pool of its hosts, or the services that it chooses among. It belongs to one place
// of one rule: a service that is named twice is two backends, which share the pool.
type backend struct {
	name string // of the service; over a link, the fleet-wide one
	reached
	weight int

	// Where the service has endpoints:
	pool      *upstream.Pool
	transport transport
	paths     map[string]string // put before those of requests, by address; nil: none is
	cookie    *cookie           // keeps sessions on hosts; nil: none does

	// Where it chooses among others, these, and the cookie keeps sessions on one of them:
	parts []backend
	sum   int // of their weights

	// Where requests for it go through more than that, what they go through, and what is behind.
	handler http.Handler
	within  *forwarder
	mirror  *mirror // what is behind, where requests are copied

	exits []exit // to where requests go that it does not serve; the nearest first
	marks []mark // what cookies say of the way here
}

// exit is a way out of a service that fails over.
type exit struct {
	to *backend
	on *model.FailOn // answers for which it is taken; nil: for none
}

// headerTimeout bounds the wait for an answer's head, where the route does not. 0: no limit.
func (b *backend) headerTimeout() time.Duration {
	if b.by == nil {
		return 0
	}
	return b.by.HeaderTimeout
}

// choose returns the backend that a request goes to, which chooses no more; nil: there is none. Streams have no
// delivery.
func (b *backend) choose(d *delivery) *backend {
	switch {
	case len(b.parts) == 0:
		return b
	case b.service.Use == model.Failover: // exits lead to the others
		for i := range b.parts {
			if chosen := b.parts[i].choose(d); chosen != nil {
				return chosen
			}
		}
		return nil
	}
	part := b.pinned(d)
	switch {
	case part != nil:
	case b.service.Use == model.ByClient:
		part = b.owner(d)
	default:
		part = pick(b.parts, b.sum, b.aware())
	}
	if part == nil {
		return nil
	}
	return part.choose(d)
}

// aware reports whether parts that are down are to be left out: that some are, and others are not.
func (b *backend) aware() bool {
	return b.service.Aware && b.differ((*upstream.Pool).Wanted)
}

// differ reports whether some parts are so, and others are not.
func (b *backend) differ(so func(*upstream.Pool) bool) bool {
	up, down := false, false
	for i := range b.parts {
		if p := &b.parts[i]; p.weight > 0 {
			is := p.is(so)
			up, down = up || is, down || !is
		}
	}
	return up && down
}

// pick chooses among parts by weight, where it is asked for only among those that are up; nil: none has any.
func pick(parts []backend, sum int, up bool) *backend {
	if up {
		sum = 0
		for i := range parts {
			if parts[i].up() {
				sum += parts[i].weight
			}
		}
	}
	if sum == 0 {
		return nil
	}
	n := rand.IntN(sum) //nolint:gosec // spreading load needs no secret
	for i := range parts {
		if up && !parts[i].up() {
			continue
		}
		if n -= parts[i].weight; n < 0 {
			return &parts[i]
		}
	}
	return nil
}

// owner returns the part that the client belongs to. When parts come, go, or go down, only those clients move that
// must.
func (b *backend) owner(d *delivery) *backend {
	var best *backend
	most, aware := 0.0, b.aware()
	for i := range b.parts {
		p := &b.parts[i]
		if p.weight == 0 || aware && !p.up() {
			continue
		}
		score := upstream.Score(d.x.client, p.name, float64(p.weight))
		if best == nil || score > most {
			best, most = p, score
		}
	}
	return best
}

// up reports whether a request should go here rather than to another service that does the same.
func (b *backend) up() bool { return b.is((*upstream.Pool).Wanted) }

// is asks the pools that requests for the service come to, until one says yes.
func (b *backend) is(so func(*upstream.Pool) bool) bool {
	list := b.parts
	switch {
	case b.pool != nil:
		return so(b.pool)
	case b.within != nil:
		list = b.within.backends
	}
	for i := range list {
		if list[i].weight > 0 && list[i].is(so) {
			return true
		}
	}
	return false
}

// ready returns how many endpoints can be used now, of how many. Of those that fail over, only the first counts that is
// up: the others are no more capacity.
func (b *backend) ready() (ready, total int) {
	list := b.parts
	switch {
	case b.pool != nil:
		return b.pool.Ready()
	case b.within != nil:
		list = b.within.backends
	case b.service.Use == model.Failover:
		return b.serving().ready()
	}
	for i := range list {
		r, t := list[i].ready()
		ready, total = ready+r, total+t
	}
	return ready, total
}

// serving returns which part of a service that fails over gets the requests: the first that is up, or else the last,
// which is used whatever is known of it.
func (b *backend) serving() *backend {
	for i := range b.parts {
		if b.parts[i].is((*upstream.Pool).Up) {
			return &b.parts[i]
		}
	}
	return &b.parts[len(b.parts)-1]
}

// mayLeave reports whether requests that the backend does not serve have a better place to go to. Where none is up,
// each is tried as if it were, like the hosts of one service.
func (b *backend) mayLeave() bool {
	for _, e := range b.exits {
		if e.to.up() {
			return true
		}
	}
	return false
}

// trail is where a request went after the service that it was for. Exits may lead in a circle: each is taken once.
type trail struct{ taken []*backend }

// leave returns who gets a request that b did not serve: what is behind the nearest exit that leads to something up
// and, where none does, just the nearest; nil: all have been taken. Streams have no delivery.
func (t *trail) leave(b *backend, d *delivery) *backend {
	var nearest *backend
	for _, e := range b.exits {
		switch {
		case slices.Contains(t.taken, e.to):
			continue
		case e.to.up():
			return t.follow(e.to, d)
		case nearest == nil:
			nearest = e.to
		}
	}
	return t.follow(nearest, d)
}

// follow goes to what an exit leads to; nil: nowhere, or it was there before.
func (t *trail) follow(to *backend, d *delivery) *backend {
	if to == nil || slices.Contains(t.taken, to) {
		return nil
	}
	t.taken = append(t.taken, to)
	return to.choose(d)
}

// exitOn returns where requests go whose answer has a status; nil: it is the one for the client.
func (b *backend) exitOn(status int) *backend {
	for _, e := range b.exits {
		if e.on == nil {
			continue
		}
		for _, r := range e.on.Status {
			if r.Has(status) {
				return e.to
			}
		}
	}
	return nil
}

// isRaw reports whether requests for the service need not be an http.Request.
func (b *backend) isRaw() bool {
	if b.handler != nil || b.paths != nil {
		return false
	}
	for i := range b.parts {
		if !b.parts[i].isRaw() {
			return false
		}
	}
	if b.service.Protocol != model.HTTP && b.service.Protocol != "" {
		return false
	}
	for i := range b.service.Endpoints {
		if b.service.Endpoints[i].Gateway {
			return false
		}
	}
	return true
}
