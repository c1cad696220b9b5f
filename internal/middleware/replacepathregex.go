package middleware

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// newReplacePathRegex replaces what the expression matches in the path as it is sent, escapes included. The service is
// told the path before. One that does not match goes on as it is, and without what a client says was replaced.
func newReplacePathRegex(_ *Set, _ place, spec *model.ReplacePathRegex) (Func, error) {
	re, err := parseRegex("replacePathRegex.regex", spec.Regex)
	if err != nil {
		return nil, err
	}
	replacement := strings.TrimSpace(spec.Replacement)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			before := r.URL.EscapedPath()
			if !hasPath(r) || replacement == "" || !re.MatchString(before) {
				delete(r.Header, replacedPath)
				next.ServeHTTP(w, r)
				return
			}
			raw := rooted(re.ReplaceAllString(before, replacement))
			path, err := url.PathUnescape(raw)
			if err != nil { // the expression cut an escape in two
				refuse(w, http.StatusBadRequest, "bad_path")
				return
			}
			r.Header[replacedPath] = []string{before}
			serveAt(w, r, path, raw, next)
		})
	}, nil
}
