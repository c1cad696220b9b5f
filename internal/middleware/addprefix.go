package middleware

import (
	"net/http"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// newAddPrefix puts a prefix before the path.
func newAddPrefix(_ *Set, _ place, spec *model.AddPrefix) (Func, error) {
	prefix := rooted(strings.TrimSpace(spec.Prefix))
	if prefix == "" {
		return nil, fieldError("addPrefix.prefix", "is empty; give a path such as /api")
	}
	raw := escaped(prefix)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !hasPath(r) {
				next.ServeHTTP(w, r)
				return
			}
			serveAt(w, r, prefix+r.URL.Path, raw+r.URL.EscapedPath(), next)
		})
	}, nil
}
