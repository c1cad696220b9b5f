package middleware

import (
	"hash/maphash"
	"net/netip"

	"github.com/fairlead/fairlead/internal/model"
)

// Gate says whether a client may have one more connection. Where it may, refused is "", and release, which may be nil,
// is to be called when the connection has ended. Otherwise refused says why, in the word of a refused request.
type Gate func(client netip.Addr) (release func(), refused string)

// Gate makes the gate of a middleware of the lane of TCP. As with [Set.Build], an error is a [*FieldError], and state
// belongs to m's Ref.
func (s *Set) Gate(m *model.Middleware) (Gate, error) {
	switch {
	case m.IPAllowList != nil:
		return newIPAllowListGate(m.IPAllowList)
	case m.InFlightConn != nil:
		return s.newInFlightConn(m.Ref(), m.InFlightConn)
	case m.RateLimit != nil:
		return s.newRateLimitGate(m.Ref(), m.RateLimit)
	}
	return nil, fieldError("middleware", "%s is none for connections; they have ipAllowList, inFlightConn and rateLimit",
		m.Ref())
}

func newIPAllowListGate(spec *model.IPAllowList) (Gate, error) {
	if len(spec.Ranges) == 0 {
		return nil, fieldError("ipAllowList.sourceRange", "is empty and would admit nobody; name the ranges to admit")
	}
	allowed, err := parsePrefixes("ipAllowList.sourceRange", spec.Ranges)
	if err != nil {
		return nil, err
	}
	return func(client netip.Addr) (func(), string) {
		if !contains(allowed, client.Unmap()) {
			return nil, "refused_by_ipAllowList"
		}
		return nil, ""
	}, nil
}

func (s *Set) newRateLimitGate(ref model.Ref, spec *model.RateLimit) (Gate, error) {
	limit, err := newPace(spec)
	if err != nil {
		return nil, err
	}
	if limit.interval == 0 {
		return func(netip.Addr) (func(), string) { return nil, "" }, nil
	}
	limit.patience = 0 // a connection is not kept waiting
	clients := stateOf(s, place{middleware: ref}, "rateLimit of connections", newClients)
	return func(client netip.Addr) (func(), string) {
		if bits := spec.IPv6Subnet; bits > 0 && client.Is6() {
			if p, err := client.Prefix(bits); err == nil {
				client = p.Addr()
			}
		}
		if _, ok := clients.take(hashAddr(clients.seed, client), limit); !ok {
			return nil, "refused_by_rateLimit"
		}
		return nil, ""
	}, nil
}

func (s *Set) newInFlightConn(ref model.Ref, spec *model.InFlightConn) (Gate, error) {
	if spec.Amount < 0 {
		return nil, fieldError("inFlightConn.amount", "%d is negative", spec.Amount)
	}
	now := stateOf(s, place{middleware: ref}, "inFlightConn", newInFlight)
	return func(client netip.Addr) (func(), string) {
		key := hashAddr(now.seed, client)
		if !now.enter(key, int(spec.Amount)) {
			return nil, "refused_by_inFlightConn"
		}
		return func() { now.leave(key) }, ""
	}, nil
}

func hashAddr(seed maphash.Seed, a netip.Addr) uint64 {
	b := a.As16()
	return maphash.Bytes(seed, b[:])
}
