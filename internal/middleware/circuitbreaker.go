package middleware

import (
	"cmp"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// newCircuitBreaker answers in the service's place for a while when the condition has come true. The condition looks at
// what the handlers behind this one answered in the last 10 seconds.
func newCircuitBreaker(s *Set, at place, spec *model.CircuitBreaker) (Func, error) {
	status := cmp.Or(spec.Status, http.StatusServiceUnavailable)
	switch {
	case !model.IsAnswer(status):
		return nil, fieldError("circuitBreaker.responseCode", "%d is not the status of an answer; use 503", status)
	case spec.CheckPeriod < 0 || spec.Fallback < 0 || spec.Recovery < 0:
		return nil, fieldError("circuitBreaker", "has a negative duration")
	}
	config := breakerConfig{
		condition: spec.Condition,
		check:     cmp.Or(spec.CheckPeriod, 100*time.Millisecond),
		fallback:  cmp.Or(spec.Fallback, 10*time.Second),
		recovery:  cmp.Or(spec.Recovery, 10*time.Second),
	}
	b := stateOf(s, at, "circuitBreaker", newBreaker)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !b.admit(&config) {
				refuse(w, status, "refused_by_circuitBreaker")
				return
			}
			start := time.Now()
			sw := &statusWriter{headWriter: headWriter{ResponseWriter: w}, status: http.StatusBadGateway}
			sw.editor = sw
			defer func() {
				if r.Context().Err() == nil { // a client that left says nothing of the service
					b.done(&config, sw.status, time.Since(start)) // also when the answer is cut: then a 502
				}
			}()
			next.ServeHTTP(sw, r)
			sw.finish()
		})
	}, nil
}

// statusWriter notes the status of the answer.
type statusWriter struct {
	headWriter
	status int
}

func (w *statusWriter) editHead(_ http.Header, status int) { w.status = status }
