package middleware

import (
	"fmt"
	"hash/maphash"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// newRateLimit admits Average requests a Period for each client. A client may be ahead of that by Burst requests. One
// that comes up to half an interval (at most 500 ms) too early waits; one that comes earlier gets 429, and is told when
// to come back. Requests that do not say whom they count for share one client.
func newRateLimit(s *Set, ref model.Ref, spec *model.RateLimit) (Func, error) {
	limit, err := newPace(spec)
	if err != nil {
		return nil, err
	}
	client, err := newClientKey(spec)
	if err != nil {
		return nil, err
	}
	if limit.interval == 0 {
		return func(next http.Handler) http.Handler { return next }, nil
	}
	clients := s.clientsOf(ref, client.counts())
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			wait, ok := clients.take(client.of(clients.seed, r), limit)
			if !ok {
				h := w.Header()
				h.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
				h.Set("X-Retry-In", wait.String())
				refuse(w, http.StatusTooManyRequests, "refused_by_rateLimit")
				return
			}
			if wait > 0 && !pause(r, wait) {
				return
			}
			next.ServeHTTP(w, r)
		})
	}, nil
}

// pause reports false when the client left meanwhile.
func pause(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// maxPeriod keeps sums of times far from overflowing.
const maxPeriod = 366 * 24 * time.Hour

// newPace reads the figures. The zero pace is no limit.
func newPace(spec *model.RateLimit) (pace, error) {
	switch {
	case spec.Average < 0:
		return pace{}, fieldError("rateLimit.average", "%d is negative; 0 is no limit", spec.Average)
	case spec.Period < 0 || spec.Period > maxPeriod:
		return pace{}, fieldError("rateLimit.period", "%s is out of range; use up to a year, the default is 1s", spec.Period)
	case spec.Burst < 0:
		return pace{}, fieldError("rateLimit.burst", "%d is negative; the default is 1", spec.Burst)
	case spec.Average == 0:
		return pace{}, nil
	}
	period := spec.Period
	if period == 0 {
		period = time.Second
	}
	burst := max(spec.Burst, 1)
	interval := period / time.Duration(spec.Average)
	ahead := time.Duration(math.MaxInt64 / 4) // as good as no limit, and still safe to add to
	if interval == 0 || time.Duration(burst) < ahead/interval {
		ahead = interval * time.Duration(burst)
	}
	return pace{interval: interval, ahead: ahead, patience: min(interval/2, 500*time.Millisecond)}, nil
}

// clientKey says what counts as one client: a field, the host, or the address.
type clientKey struct {
	header string
	host   bool
	ip     clientIP
	bits   int // of an IPv6 address; 0: all
}

func newClientKey(spec *model.RateLimit) (clientKey, error) {
	byIP := spec.Depth != 0 || len(spec.Excluded) > 0
	if spec.ByHeader != "" && (spec.ByHost || byIP) || spec.ByHost && byIP {
		return clientKey{}, fieldError("rateLimit.sourceCriterion",
			"has several of requestHeaderName, requestHost and ipStrategy; keep one")
	}
	if spec.IPv6Subnet < 0 || spec.IPv6Subnet > 128 {
		return clientKey{}, fieldError("rateLimit.sourceCriterion.ipStrategy.ipv6Subnet",
			"%d is not a prefix length; use 1 to 128, or 0 for the whole address", spec.IPv6Subnet)
	}
	ip, err := newClientIP("rateLimit.sourceCriterion", spec.Depth, spec.Excluded)
	if err != nil {
		return clientKey{}, err
	}
	k := clientKey{host: spec.ByHost, ip: ip, bits: spec.IPv6Subnet}
	if spec.ByHeader != "" {
		k.header, err = fieldName("rateLimit.sourceCriterion.requestHeaderName", spec.ByHeader)
		k.host = k.header == "Host"
	}
	return k, err
}

// counts names what k counts: equal texts, equal clients.
func (k clientKey) counts() string { return fmt.Sprint(k.header, k.host, k.ip, k.bits) }

// of returns the client's number. It is a keyed hash: a client cannot choose to be counted as another, and a long field
// takes no more memory than a short one.
func (k clientKey) of(seed maphash.Seed, r *http.Request) uint64 {
	switch {
	case k.host:
		return maphash.String(seed, strings.ToLower(hostOnly(r.Host)))
	case k.header != "":
		return maphash.String(seed, r.Header.Get(k.header))
	}
	a := k.ip.of(r)
	if k.bits > 0 && a.Is6() {
		if p, err := a.Prefix(k.bits); err == nil {
			a = p.Addr()
		}
	}
	b := a.As16()
	return maphash.Bytes(seed, b[:])
}
