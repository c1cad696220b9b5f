package middleware

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// newRateLimit admits Average requests a Period for each client. A client may be ahead of that by Burst requests. One
// that comes up to half an interval (at most 500 ms) too early waits; one that comes earlier gets 429, and is told when
// to come back. Requests that do not say whom they count for share one client.
func newRateLimit(s *Set, at place, spec *model.RateLimit) (Func, error) {
	limit, err := newPace(spec)
	if err != nil {
		return nil, err
	}
	client, err := newClientKey("rateLimit.sourceCriterion", spec.Criterion)
	if err != nil {
		return nil, err
	}
	if limit.interval == 0 {
		return func(next http.Handler) http.Handler { return next }, nil
	}
	take, err := s.counter(at.middleware, spec, client)
	if err != nil {
		return nil, err
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			wait, ok := take(r, limit)
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

// counter returns what counts the requests of clients: here, or in Redis together with other instances.
func (s *Set) counter(
	at model.Ref, spec *model.RateLimit, client clientKey,
) (take func(r *http.Request, p pace) (wait time.Duration, ok bool), err error) {
	if spec.Redis == nil {
		clients := stateOf(s, place{middleware: at}, "rateLimit "+client.counts(), newClients)
		return func(r *http.Request, p pace) (time.Duration, bool) {
			return clients.take(client.of(clients.seed, r), p)
		}, nil
	}
	if spec.Redis.TLS != nil {
		if _, err := newTLSConfig("rateLimit.redis.tls", spec.Redis.TLS); err != nil {
			return nil, err
		}
	}
	like := "rateLimit " + client.counts() + " " + redisKey(spec.Redis)
	shared := stateOf(s, place{middleware: at}, like, func() *sharedClients {
		return newSharedClients(at, spec.Redis, s.log)
	})
	return func(r *http.Request, p pace) (time.Duration, bool) {
		return shared.take(r.Context(), client.name(r), client.of(shared.local.seed, r), p)
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
