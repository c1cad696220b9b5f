package middleware

import (
	"net/http"

	"github.com/fairlead/fairlead/internal/model"
)

// newIPAllowList admits requests whose client address is in one of the ranges. A client whose address is not known is
// refused.
func newIPAllowList(_ *Set, _ place, spec *model.IPAllowList) (Func, error) {
	if len(spec.Ranges) == 0 {
		return nil, fieldError("ipAllowList.sourceRange", "is empty and would admit nobody; name the ranges to admit")
	}
	allowed, err := parsePrefixes("ipAllowList.sourceRange", spec.Ranges)
	if err != nil {
		return nil, err
	}
	client, err := newClientIP("ipAllowList", spec.ClientAddress)
	if err != nil {
		return nil, err
	}
	status := spec.Status
	if status == 0 {
		status = http.StatusForbidden
	}
	if !model.IsAnswer(status) {
		return nil, fieldError("ipAllowList.rejectStatusCode", "%d is not the status of an answer; use 403 or 404", status)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !contains(allowed, client.of(r)) {
				refuse(w, status, "refused_by_ipAllowList")
				return
			}
			next.ServeHTTP(w, r)
		})
	}, nil
}
