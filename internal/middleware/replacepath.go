package middleware

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// newReplacePath gives every request the same path. The service is told the one before, as it was sent.
func newReplacePath(_ *Set, _ place, spec *model.ReplacePath) (Func, error) {
	raw := rooted(strings.TrimSpace(spec.Path))
	path, err := url.PathUnescape(raw)
	switch {
	case err != nil:
		return nil, fieldError("replacePath.path", "%q has a percent sign without two hexadecimal digits", spec.Path)
	case path == "":
		return nil, fieldError("replacePath.path", "is empty; give a path such as /")
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header[replacedPath] = []string{r.URL.EscapedPath()}
			serveAt(w, r, path, raw, next)
		})
	}, nil
}
