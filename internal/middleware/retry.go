package middleware

import (
	"net/http"

	"github.com/fairlead/fairlead/internal/model"
)

// newRetry reads the request's body, where the definition says how much of it may be kept for another attempt. To retry
// is the work of whoever forwards the request.
func newRetry(_ *Set, _ place, spec *model.Retry) (Func, error) {
	if spec.MaxBodyBytes < 0 {
		return nil, fieldError("retry.maxRequestBodyBytes", "%d is negative", spec.MaxBodyBytes)
	}
	if spec.MaxBodyBytes == 0 {
		return func(next http.Handler) http.Handler { return next }, nil
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, status := readBody(r, spec.MaxBodyBytes); status != 0 {
				refuse(w, status, "refused_by_retry")
				return
			}
			next.ServeHTTP(w, r)
		})
	}, nil
}
