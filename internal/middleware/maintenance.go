package middleware

import (
	"cmp"
	"io"
	"math"
	"net/http"
	"strconv"

	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/model"
)

const maintenanceText = "This service is being worked on and will be back soon.\n"

// newMaintenance answers in the service's place. Clients that are excepted are served all the same.
func newMaintenance(_ *Set, _ place, spec *model.Maintenance) (Func, error) {
	except, err := parsePrefixes("maintenance.except", spec.Except)
	if err != nil {
		return nil, err
	}
	client, err := newClientIP("maintenance", spec.ClientAddress)
	if err != nil {
		return nil, err
	}
	status := cmp.Or(spec.Status, http.StatusServiceUnavailable)
	body, contentType := spec.Body, cmp.Or(spec.ContentType, "text/html; charset=utf-8")
	switch {
	case !model.IsAnswer(status):
		return nil, fieldError("maintenance.statusCode", "%d is not the status of an answer; use 503", status)
	case !httpguts.ValidHeaderFieldValue(contentType):
		return nil, fieldError("maintenance.contentType", "has control characters; remove them")
	case spec.RetryAfter < 0:
		return nil, fieldError("maintenance.retryAfter", "%s is negative", spec.RetryAfter)
	case body == "":
		body, contentType = maintenanceText, "text/plain; charset=utf-8"
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if contains(except, client.of(r)) {
				next.ServeHTTP(w, r)
				return
			}
			h := w.Header()
			h.Set("Content-Type", contentType)
			h.Set("Content-Length", strconv.Itoa(len(body)))
			h.Set("Cache-Control", "no-store") // it must not outlast the maintenance
			if spec.RetryAfter > 0 {
				h.Set("Retry-After", strconv.Itoa(int(math.Ceil(spec.RetryAfter.Seconds()))))
			}
			setReason(w, "refused_by_maintenance")
			w.WriteHeader(status)
			if r.Method != http.MethodHead {
				_, _ = io.WriteString(w, body)
			}
		})
	}, nil
}
