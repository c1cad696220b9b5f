package middleware

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/model"
)

var (
	schemeForm = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)
	hostForm   = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)
)

// newRedirectScheme sends the client to the same address with another scheme, unless it came with that scheme already.
// GET and HEAD get 302 (301 if permanent), other methods 307 (308), so that they are repeated as they are.
func newRedirectScheme(_ *Set, _ place, spec *model.RedirectScheme) (Func, error) {
	scheme := strings.ToLower(spec.Scheme)
	if !schemeForm.MatchString(scheme) {
		return nil, fieldError("redirectScheme.scheme", "%q is not a scheme; use https", spec.Scheme)
	}
	port := ""
	if spec.Port != "" {
		n, err := strconv.ParseUint(spec.Port, 10, 16)
		if err != nil || n == 0 {
			return nil, fieldError("redirectScheme.port", "%q is not a port; use 1 to 65535", spec.Port)
		}
		if standard := (scheme == "https" && n == 443) || (scheme == "http" && n == 80); !standard {
			port = ":" + spec.Port
		}
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if schemeOf(r) == scheme {
				next.ServeHTTP(w, r)
				return
			}
			// The client chooses Host and path: what comes out must be an address on that host.
			location := scheme + "://" + hostOnly(r.Host) + port + pathAndQuery(r)
			if !hostForm.MatchString(r.Host) || !httpguts.ValidHeaderFieldValue(location) {
				refuse(w, http.StatusBadRequest, "bad_host")
				return
			}
			redirect(w, r, location, spec.Permanent)
		})
	}, nil
}

// schemeOf returns "http" or "https": what X-Forwarded-Proto says, else what the connection is. The field is the
// client's own word only if the client is trusted.
func schemeOf(r *http.Request) string {
	switch proto := r.Header.Get("X-Forwarded-Proto"); {
	case strings.EqualFold(proto, "https"), strings.EqualFold(proto, "wss"):
		return "https"
	case proto != "":
		return "http"
	case r.TLS != nil:
		return "https"
	}
	return "http"
}

// hostOnly removes the port.
func hostOnly(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host[i:], ']') < 0 {
		return host[:i]
	}
	return host
}

// addressOf returns the URL that the client asked for.
func addressOf(r *http.Request) string { return schemeOf(r) + "://" + r.Host + pathAndQuery(r) }

func pathAndQuery(r *http.Request) string {
	uri := r.URL.RequestURI()
	if !strings.HasPrefix(uri, "/") { // OPTIONS *
		return "/"
	}
	return uri
}

func redirect(w http.ResponseWriter, r *http.Request, location string, permanent bool) {
	status := redirectStatus(r.Method, permanent)
	w.Header().Set("Location", location)
	refuse(w, status, "redirected")
}

func redirectStatus(method string, permanent bool) int {
	repeatable := method == http.MethodGet || method == http.MethodHead
	switch {
	case repeatable && permanent:
		return http.StatusMovedPermanently
	case repeatable:
		return http.StatusFound
	case permanent:
		return http.StatusPermanentRedirect
	}
	return http.StatusTemporaryRedirect
}
