package middleware

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	authTimeout     = 30 * time.Second // of the server, for its whole answer
	defaultAuthBody = 1 << 20
)

// forwardAuth is the definition, checked.
type forwardAuth struct {
	*model.ForwardAuth
	address                     *url.URL
	request, response           []string // canonical
	responseRegex, cookiesRegex *regexp.Regexp
	client                      *http.Client
}

// newForwardAuth asks another server who may pass.
func newForwardAuth(s *Set, at place, spec *model.ForwardAuth) (Func, error) {
	f := &forwardAuth{ForwardAuth: spec}
	var err error
	if f.address, err = url.Parse(spec.Address); err != nil || f.address.Host == "" ||
		f.address.Scheme != "http" && f.address.Scheme != "https" {
		return nil, fieldError("forwardAuth.address", "%q is no address; write it like https://a.example", spec.Address)
	}
	for _, name := range spec.Request {
		f.request = append(f.request, textproto.CanonicalMIMEHeaderKey(name))
	}
	for _, name := range spec.Response {
		canonical, err := identityName("forwardAuth.authResponseHeaders", name)
		if err != nil {
			return nil, err
		}
		f.response = append(f.response, canonical)
	}
	if f.responseRegex, err = optionalRegex("forwardAuth.authResponseHeadersRegex", spec.ResponseRegex); err != nil {
		return nil, err
	}
	if f.cookiesRegex, err = optionalRegex("forwardAuth.addAuthCookiesToResponseRegex", spec.CookiesRegex); err != nil {
		return nil, err
	}
	config, err := newTLSConfig("forwardAuth.tls", spec.TLS)
	if err != nil {
		return nil, err
	}
	f.client = stateOf(s, place{middleware: at.middleware}, "forwardAuth "+clientKeyOf(spec), func() *askingClient {
		return newAskingClient(config)
	}).Client
	return f.wrap, nil
}

// optionalRegex returns nil for "".
func optionalRegex(place, text string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, nil
	}
	return parseRegex(place, text)
}

func (f *forwardAuth) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ask, ok := f.question(w, r)
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), authTimeout)
		defer cancel()
		answer, err := f.client.Do(ask.WithContext(ctx))
		if err != nil {
			refuse(w, http.StatusBadGateway, "auth_unreachable")
			return
		}
		defer answer.Body.Close()
		if answer.StatusCode < 200 || answer.StatusCode > 299 {
			f.deny(w, answer)
			return
		}
		_, _ = io.CopyN(io.Discard, answer.Body, maxDrained) // so that the connection can be used again
		f.tell(r, answer)
		cookies := f.cookiesOf(answer)
		if len(f.Cookies) == 0 && f.cookiesRegex == nil {
			next.ServeHTTP(w, r)
			return
		}
		cw := &cookieWriter{headWriter{ResponseWriter: w}, f, cookies}
		cw.editor = cw
		next.ServeHTTP(cw, r)
		cw.finish()
	})
}

// question makes the request to the server. It reports false when the client was refused.
func (f *forwardAuth) question(w http.ResponseWriter, r *http.Request) (*http.Request, bool) {
	ask := &http.Request{Method: http.MethodGet, URL: f.address, Host: f.address.Host, Header: http.Header{}}
	if f.PreserveMethod {
		ask.Method = r.Method
	}
	for name, values := range r.Header {
		if f.request == nil || slices.Contains(f.request, name) {
			ask.Header[name] = slices.Clone(values) // the transport may read them when r is gone
		}
	}
	for name := range connectionFields {
		delete(ask.Header, name)
	}
	if _, told := ask.Header["User-Agent"]; !told {
		ask.Header["User-Agent"] = nil // so that it is not Go's
	}
	f.setForwarded(ask.Header, r)
	if f.ForwardBody {
		body, status := readBody(r, cmp.Or(f.MaxBody, defaultAuthBody))
		if status != 0 {
			if status == http.StatusRequestEntityTooLarge {
				status = http.StatusUnauthorized // as documented
			}
			refuse(w, status, "refused_by_forwardAuth")
			return nil, false
		}
		ask.Body, ask.ContentLength = io.NopCloser(strings.NewReader(string(body))), int64(len(body))
	}
	return ask, true
}

// setForwarded tells the server what the client asked for. What a proxy in front says of it counts only if it is to be
// trusted.
func (f *forwardAuth) setForwarded(h http.Header, r *http.Request) {
	for name, value := range map[string]string{
		"X-Forwarded-Method": r.Method, "X-Forwarded-Proto": schemeOf(r), "X-Forwarded-Host": r.Host,
		"X-Forwarded-Uri": r.URL.RequestURI(), "X-Forwarded-For": (clientIP{}).of(r).String(),
	} {
		given := r.Header.Get(name)
		removeIdentity(h, name)
		switch {
		case !f.TrustForwarded || given == "":
			h[name] = []string{value}
		case name == "X-Forwarded-For":
			h[name] = []string{withLast(strings.Join(r.Header[name], ", "), value)}
		default:
			h[name] = []string{given}
		}
	}
}

// withLast adds an address to a list that does not have it: the client's, as it was read from the list, is in it.
func withLast(list, addr string) string {
	for known := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(known) == addr {
			return list
		}
	}
	return list + ", " + addr
}

// tell gives the service what the server says, and nothing that the client says of the same.
func (f *forwardAuth) tell(r *http.Request, answer *http.Response) {
	for _, name := range f.response {
		removeIdentity(r.Header, name)
		if values := answer.Header[name]; len(values) > 0 {
			r.Header[name] = values
		}
	}
	if f.responseRegex == nil {
		return
	}
	for name := range r.Header {
		if f.responseRegex.MatchString(model.CGIField(name)) {
			delete(r.Header, name)
		}
	}
	for name, values := range answer.Header {
		if f.responseRegex.MatchString(name) && isPlainField(name) {
			r.Header[name] = values
		}
	}
}

// isPlainField is false for what belongs to the connection, or to Fairlead.
func isPlainField(name string) bool {
	_, err := identityName("", name)
	return err == nil
}

// deny gives the client the server's answer.
func (f *forwardAuth) deny(w http.ResponseWriter, answer *http.Response) {
	h := w.Header()
	for name, values := range answer.Header {
		if isPlainField(name) {
			h[name] = values
		}
	}
	if location, err := answer.Location(); err == nil && !f.PreserveLocation {
		h.Set("Location", location.String()) // what has no host is on the server
	}
	setReason(w, "refused_by_forwardAuth")
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
}

// takesCookie reports whether a cookie of the server's goes to the client.
func (f *forwardAuth) takesCookie(name string) bool {
	return slices.Contains(f.Cookies, name) || f.cookiesRegex != nil && f.cookiesRegex.MatchString(name)
}

func (f *forwardAuth) cookiesOf(answer *http.Response) (lines []string) {
	for _, line := range answer.Header["Set-Cookie"] {
		if f.takesCookie(cookieName(line)) {
			lines = append(lines, line)
		}
	}
	return lines
}

// cookieName returns the name in a Set-Cookie line (RFC 6265 §4.1.1).
func cookieName(line string) string {
	name, _, _ := strings.Cut(line, "=")
	return strings.TrimSpace(name)
}

// cookieWriter gives the client the server's cookies in place of those of the service.
type cookieWriter struct {
	headWriter
	auth    *forwardAuth
	cookies []string
}

func (w *cookieWriter) editHead(h http.Header, _ int) {
	kept := slices.DeleteFunc(slices.Clone(h["Set-Cookie"]), func(line string) bool {
		return w.auth.takesCookie(cookieName(line))
	})
	if lines := slices.Concat(kept, w.cookies); len(lines) > 0 {
		h["Set-Cookie"] = lines
	} else {
		delete(h, "Set-Cookie")
	}
}
