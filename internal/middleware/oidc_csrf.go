package middleware

import (
	"cmp"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"

	"github.com/fairlead/fairlead/internal/model"
)

// What Traefik Hub calls the cookie and the field: pages that were written for it find them.
const (
	csrfCookie      = "traefikee-csrf-token"
	usualCSRFHeader = "TraefikHub-Csrf-Token"
)

// csrf has the scripts of pages show that they are the host's own: they can read a cookie, and other hosts' cannot. The
// token is made of the session, so a cookie that somebody else has put into the browser is no help (OWASP: signed
// double submit).
type csrf struct {
	on     bool // false: no token is given or needed; what other routes of the host gave is taken away as with them
	key    []byte
	header string
	cookie http.Cookie // the attributes
}

// newCSRF is off where spec is nil. The cookie is where the session's is.
func newCSRF(use string, secret []byte, session http.Cookie, spec *model.CSRF) (*csrf, error) {
	on := spec != nil
	if !on {
		spec = &model.CSRF{Insecure: !session.Secure}
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "fairlead csrf "+use, sha256.Size)
	if err != nil {
		return nil, err
	}
	session.Name, session.HttpOnly, session.Secure = csrfCookie, false, !spec.Insecure
	return &csrf{on, key, http.CanonicalHeaderKey(cmp.Or(spec.Header, usualCSRFHeader)), session}, nil
}

func (c *csrf) token(s *session) string {
	h := hmac.New(sha256.New, c.key)
	h.Write([]byte(s.ID))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// allows reports whether the request changes nothing, or has the token of the session.
func (c *csrf) allows(r *http.Request, s *session) bool {
	if !c.on {
		return true
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace: // RFC 9110 §9.2.1
		return true
	}
	values := r.Header[c.header]
	return len(values) == 1 && hmac.Equal([]byte(values[0]), []byte(c.token(s)))
}

// lines are those of Set-Cookie that the browser needs to know the token for as long as the session lasts.
func (c *csrf) lines(h http.Header, s *session, renewed bool) []string {
	if !c.on || !renewed && c.has(h, c.token(s)) {
		return nil
	}
	cookie := c.cookie
	cookie.Value = c.token(s)
	return []string{cookie.String()}
}

func (c *csrf) has(h http.Header, token string) bool {
	for value := range cookieValues(h, csrfCookie) {
		return hmac.Equal([]byte(value), []byte(token)) // the first is the one that scripts find
	}
	return false
}

// expire returns lines that remove the token.
func (c *csrf) expire(h http.Header) []string {
	for range cookieValues(h, csrfCookie) {
		cookie := c.cookie
		cookie.MaxAge = -1
		return []string{cookie.String()}
	}
	return nil
}

// remove takes the token out of the request that the service sees.
func (c *csrf) remove(h http.Header) {
	removeCookie(h, csrfCookie)
	if c.on {
		delete(h, c.header)
	}
}
