package middleware

import (
	"bytes"
	"errors"
	"io"
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
			if readWhole(w, r, spec.MaxBodyBytes, "refused_by_retry") {
				next.ServeHTTP(w, r)
			}
		})
	}, nil
}

// readWhole replaces the request's body by its bytes. One that is larger than most, or cannot be read, is refused.
func readWhole(w http.ResponseWriter, r *http.Request, most int64, reason string) bool {
	if r.ContentLength > most {
		refuse(w, http.StatusRequestEntityTooLarge, reason)
		return false
	}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return true
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		refuse(w, http.StatusBadRequest, reason)
		return false
	case int64(len(body)) > most:
		refuse(w, http.StatusRequestEntityTooLarge, reason)
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength, r.TransferEncoding = int64(len(body)), nil
	return true
}
