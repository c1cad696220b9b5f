package middleware

import (
	"net/http"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// newStripPrefix removes the first of the prefixes that the path has. They are compared by characters, so "/api" is
// also a prefix of "/apis". A path without any of them goes on as it is.
func newStripPrefix(_ *Set, _ place, spec *model.StripPrefix) (Func, error) {
	prefixes := make([]string, 0, len(spec.Prefixes))
	for _, p := range spec.Prefixes {
		if p = strings.TrimSpace(p); p != "" {
			prefixes = append(prefixes, p)
		}
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for _, p := range prefixes {
				if strings.HasPrefix(r.URL.Path, p) {
					serveWithout(w, r, len(p), spec.KeepEmpty, next)
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}, nil
}

// serveWithout removes the first n bytes of the path, and tells the service.
func serveWithout(w http.ResponseWriter, r *http.Request, n int, keepEmpty bool, next http.Handler) {
	path, raw := r.URL.Path[n:], cutEncoded(r.URL.RawPath, n)
	switch {
	case path == "" && keepEmpty:
	case !strings.HasPrefix(path, "/"):
		path, raw = "/"+path, "/"+raw
	case strings.HasPrefix(raw, "%"): // the slash that the path begins with was escaped
		raw = "/" + cutEncoded(raw, 1)
	}
	if r.URL.RawPath == "" {
		raw = ""
	}
	// Added, not set: an edge may have removed a prefix before. Those of strangers never come this far.
	r.Header.Add("X-Forwarded-Prefix", r.URL.Path[:n])
	serveAt(w, r, path, raw, next)
}

// cutEncoded removes n bytes, as they are when decoded, from the front of a percent-encoded path.
func cutEncoded(raw string, n int) string {
	i := 0
	for ; n > 0 && i < len(raw); n-- {
		if raw[i] == '%' {
			i += 3
		} else {
			i++
		}
	}
	return raw[min(i, len(raw)):]
}
