package middleware

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// replacedPath tells the service the path before it was replaced.
const replacedPath = "X-Replaced-Path"

// serveAt lets next serve r under another path. Raw is the path as it is sent, escapes included; only its meaning
// counts, so one that says the same as the usual escapes may be given or left out.
//
// A path from which a rewrite makes a dot segment is refused: without "/files", "/files../x" would be "/../x", and a
// service that resolves it (RFC 3986 §5.2.4) would give out what no rule of ours leads to.
func serveAt(w http.ResponseWriter, r *http.Request, path, raw string, next http.Handler) {
	if hasDotSegment(path) {
		refuse(w, http.StatusBadRequest, "bad_path")
		return
	}
	r.URL.Path, r.URL.RawPath = path, raw
	r.RequestURI = r.URL.RequestURI()
	next.ServeHTTP(w, r)
}

func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// hasPath is false for "OPTIONS *", which is about the server and not about one of its paths (RFC 9112 §3.2.4).
func hasPath(r *http.Request) bool { return r.URL.Path != "*" }

// rooted returns a path that begins with a slash, unless it is empty.
func rooted(path string) string {
	if path == "" || path[0] == '/' {
		return path
	}
	return "/" + path
}

// escaped returns the usual escapes of a path.
func escaped(path string) string { return (&url.URL{Path: path}).EscapedPath() }

// parseRegex reads an expression of Go's syntax.
func parseRegex(place, text string) (*regexp.Regexp, error) {
	re, err := regexp.Compile(strings.TrimSpace(text))
	if err != nil {
		return nil, fieldError(place, "%q is no regular expression: %s", text, err)
	}
	return re, nil
}
