package middleware

import (
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// credentialSource is where a request has its credential: a token or a key.
type credentialSource model.TokenSource

// newCredentialSource checks the places; place is where the definition is.
func newCredentialSource(place string, spec model.TokenSource) (credentialSource, error) {
	s := credentialSource(spec)
	if s.Header == "" && s.Query == "" && s.Cookie == "" {
		return s, fieldError(place, "says nowhere to look; give header, query or cookie")
	}
	var err error
	s.Header, err = identityName(place+".header", spec.Header)
	return s, err
}

// values are all credentials that the request has, in the order of the places.
func (s credentialSource) values(r *http.Request) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, value := range r.Header[s.Header] {
			if s.Scheme != "" {
				value, _ = cutScheme(value, s.Scheme)
			}
			if value != "" && !yield(value) {
				return
			}
		}
		if s.Query != "" {
			for part := range strings.SplitSeq(r.URL.RawQuery, "&") {
				if value, ok := parameter(part, s.Query); ok && value != "" && !yield(value) {
					return
				}
			}
		}
		if s.Cookie != "" {
			for value := range cookieValues(r.Header, s.Cookie) {
				if value != "" && !yield(value) {
					return
				}
			}
		}
	}
}

// first is the credential that decides; "": there is none.
func (s credentialSource) first(r *http.Request) string {
	for value := range s.values(r) {
		return value
	}
	return ""
}

// only is the credential of a request that has exactly one. Of several, the service might take another than we do
// (RFC 6750 §2).
func (s credentialSource) only(r *http.Request) (value string, found int) {
	for v := range s.values(r) {
		value = v
		found++
	}
	return value, found
}

// remove takes the credential out of every place where it may be.
func (s credentialSource) remove(r *http.Request) {
	switch _, ours := cutScheme(r.Header.Get(s.Header), s.Scheme); {
	case s.Header == "" || s.Scheme != "" && !ours: // another middleware's, or the service's own
	default:
		delete(r.Header, s.Header)
	}
	if s.Query != "" {
		if query, ok := withoutQuery(r.URL.RawQuery, s.Query); ok {
			r.URL.RawQuery = query
			r.RequestURI = r.URL.RequestURI()
		}
	}
	if s.Cookie != "" {
		removeCookie(r.Header, s.Cookie)
	}
}

// cutScheme returns what stands behind the scheme (RFC 9110 §11.4), whose case does not matter.
func cutScheme(value, scheme string) (string, bool) {
	if len(value) <= len(scheme) || value[len(scheme)] != ' ' || !strings.EqualFold(value[:len(scheme)], scheme) {
		return "", false
	}
	return strings.Trim(value[len(scheme):], " "), true
}

// withoutQuery removes a parameter and leaves the others as they are and where they are.
func withoutQuery(query, name string) (rest string, found bool) {
	kept := make([]string, 0, 8)
	for part := range strings.SplitSeq(query, "&") {
		if _, ok := parameter(part, name); ok {
			found = true
		} else {
			kept = append(kept, part)
		}
	}
	if !found {
		return query, false
	}
	return strings.Join(kept, "&"), found
}

func parameter(part, name string) (value string, ok bool) {
	k, v, _ := strings.Cut(part, "=")
	if k, err := url.QueryUnescape(k); err != nil || k != name {
		return "", false
	}
	v, err := url.QueryUnescape(v)
	if err != nil {
		return "", true // has the name, so it goes; has no value that could be a key
	}
	return v, true
}

// cookiePairs returns the names and values of cookies as they came (RFC 6265 §5.4).
func cookiePairs(h http.Header) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, line := range h["Cookie"] {
			for pair := range strings.SplitSeq(line, ";") {
				if k, v, _ := strings.Cut(strings.Trim(pair, " \t"), "="); !yield(k, v) {
					return
				}
			}
		}
	}
}

// cookieValues returns the values of a cookie, without quotes.
func cookieValues(h http.Header, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for k, v := range cookiePairs(h) {
			if k == name && !yield(strings.Trim(v, `"`)) {
				return
			}
		}
	}
}

// removeCookie removes one cookie and leaves the others as they are.
func removeCookie(h http.Header, name string) {
	var lines []string
	for _, line := range h["Cookie"] {
		var kept []string
		for pair := range strings.SplitSeq(line, ";") {
			pair = strings.Trim(pair, " \t")
			if k, _, _ := strings.Cut(pair, "="); k != name && pair != "" {
				kept = append(kept, pair)
			}
		}
		if len(kept) > 0 {
			lines = append(lines, strings.Join(kept, "; "))
		}
	}
	if len(lines) == 0 {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = lines
}
