package proxy

import (
	"net/http"
	"net/url"
	"strings"
)

// cleanPath makes the path of a request mean one thing to the rules here and to the service behind: dot segments and
// repeated slashes are resolved before the request is matched (RFC 3986 §5.2.4), as the service would. It reports false
// for a path in which they are hidden behind escapes: no honest client sends one.
func cleanPath(u *url.URL) bool {
	if u.Path == "" && u.Opaque == "" {
		u.Path = "/"
	}
	if !needsCleaning(u.Path) {
		return true
	}
	if u.RawPath != "" && !needsCleaning(u.RawPath) {
		return false
	}
	cleaned := u.JoinPath()
	if !strings.HasPrefix(cleaned.Path, "/") || needsCleaning(cleaned.Path) {
		return false
	}
	u.Path, u.RawPath = cleaned.Path, cleaned.RawPath
	return true
}

// needsCleaning reports whether a path has a dot segment or an empty segment that is not the last.
func needsCleaning(path string) bool {
	for rest := path; ; {
		i := strings.IndexByte(rest, '/')
		if i < 0 {
			return false
		}
		rest = rest[i+1:]
		segment := rest
		if end := strings.IndexByte(rest, '/'); end >= 0 {
			segment = rest[:end]
		}
		switch segment {
		case ".", "..":
			return true
		case "":
			if rest != "" {
				return true
			}
		}
	}
}

// below returns the request with a prefix before its path.
func below(prefix string, r *http.Request) *http.Request {
	if r.URL.Path == "*" {
		return r
	}
	u := *r.URL
	if u.RawPath != "" {
		u.RawPath = (&url.URL{Path: prefix}).EscapedPath() + u.RawPath
	}
	u.Path = prefix + u.Path
	out := r.WithContext(r.Context()) // a copy
	out.URL = &u
	return out
}
