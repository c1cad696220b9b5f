package middleware

import (
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/model"
)

// headers is the definition, checked. Its handler answers a preflight, refuses unknown hosts, sends to https, changes
// the request, and then the answer; each step only where it is asked for.
type headers struct {
	request, response, secureResponse edits
	host                              string // the field Host of the request; "": stays
	secureFields                      map[string]string
	cors                              *cors
	allowedHosts, hostFields          []string
	https                             *model.HTTPSRedirect
}

// newHeaders changes fields of the request and of the answer. An empty value removes the field. The field Host of the
// request is the host that the service sees; it cannot be removed, so an empty one changes nothing.
func newHeaders(_ *Set, _ place, spec *model.Headers) (Func, error) {
	h := &headers{secureFields: spec.SecureFields, allowedHosts: spec.AllowedHosts, https: spec.HTTPS}
	for _, name := range spec.HostFields {
		h.hostFields = append(h.hostFields, textproto.CanonicalMIMEHeaderKey(name))
	}
	var err error
	if h.request, err = newEdits("headers.customRequestHeaders", spec.Request); err != nil {
		return nil, err
	}
	if h.response, err = newEdits("headers.customResponseHeaders", spec.Response); err != nil {
		return nil, err
	}
	if h.secureResponse, err = newEdits("headers.customResponseHeaders", spec.SecureResponse); err != nil {
		return nil, err
	}
	if h.cors, err = newCORS(spec.CORS); err != nil {
		return nil, err
	}
	if spec.HTTPS != nil && spec.HTTPS.Host != "" && !hostForm.MatchString(spec.HTTPS.Host) {
		return nil, fieldError("headers.sslHost", "%q is not a host; write it like shop.example", spec.HTTPS.Host)
	}
	h.request = slices.DeleteFunc(h.request, func(e edit) bool {
		if e.name == "Host" {
			h.host = e.value
		}
		return e.name == "Host"
	})
	return h.wrap, nil
}

func (h *headers) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.cors != nil && isPreflight(r) {
			h.cors.answerPreflight(w, r.Header.Get("Origin"))
			return
		}
		if !h.admit(w, r) {
			return
		}
		hw := h.writer(w, r)
		h.request.apply(r.Header)
		if h.host != "" {
			r.Host = h.host
		}
		if hw == nil {
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(hw, r)
		hw.finish()
	})
}

// admit refuses requests for hosts that are not allowed, and sends those in plain text to https.
func (h *headers) admit(w http.ResponseWriter, r *http.Request) bool {
	if h.allowedHosts == nil && h.https == nil {
		return true
	}
	host := h.hostOf(r)
	if h.allowedHosts != nil && !slices.ContainsFunc(h.allowedHosts, func(allowed string) bool {
		return strings.EqualFold(allowed, host) || strings.EqualFold(allowed, hostOnly(host))
	}) {
		refuse(w, http.StatusForbidden, "refused_by_headers")
		return false
	}
	return h.https == nil || h.sendToHTTPS(w, r, host)
}

// hostOf returns the host that the client asked for, or that a proxy in front says it asked for.
func (h *headers) hostOf(r *http.Request) string {
	for _, name := range h.hostFields {
		if host := r.Header.Get(name); host != "" {
			return host
		}
	}
	return r.Host
}

// sendToHTTPS reports whether the request came as it should; else it has sent the client elsewhere.
func (h *headers) sendToHTTPS(w http.ResponseWriter, r *http.Request, host string) bool {
	elsewhere := h.https.ForceHost && h.https.Host != "" && !strings.EqualFold(h.https.Host, hostOnly(host))
	if h.isSecure(r) && !elsewhere {
		return true
	}
	to := h.https.Host
	if to == "" {
		to = hostOnly(host)
	}
	location := "https://" + to + pathAndQuery(r)
	if !hostForm.MatchString(to) || !httpguts.ValidHeaderFieldValue(location) {
		refuse(w, http.StatusBadRequest, "bad_host")
		return false
	}
	redirect(w, r, location, !h.https.Temporary)
	return false
}

// isSecure reports whether the client came over TLS, to us or to a proxy in front.
func (h *headers) isSecure(r *http.Request) bool {
	if schemeOf(r) == "https" {
		return true
	}
	for name, value := range h.secureFields {
		if r.Header.Get(name) == value {
			return true
		}
	}
	return false
}

// writer returns what changes the answer; nil: nothing does. It looks at the request before that is changed.
func (h *headers) writer(w http.ResponseWriter, r *http.Request) *headersWriter {
	secure := len(h.secureResponse) > 0 && h.isSecure(r)
	if len(h.response) == 0 && !secure && h.cors == nil {
		return nil
	}
	hw := &headersWriter{headWriter: headWriter{ResponseWriter: w}, headers: h, secure: secure}
	hw.editor = hw
	if h.cors != nil {
		hw.origin = r.Header.Get("Origin")
	}
	return hw
}

// headersWriter changes an answer's fields when those of the service are known.
type headersWriter struct {
	headWriter
	headers *headers
	secure  bool
	origin  string
}

func (w *headersWriter) editHead(fields http.Header, _ int) {
	if w.secure {
		w.headers.secureResponse.apply(fields)
	}
	w.headers.response.apply(fields)
	if w.headers.cors != nil {
		w.headers.cors.apply(fields, w.origin)
	}
}

type edit struct{ name, value string }

// edits are sorted by the name that the owner wrote.
type edits []edit

func newEdits(place string, fields map[string]string) (edits, error) {
	var list edits
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		canonical, err := fieldName(place, name)
		if err != nil {
			return nil, err
		}
		if !httpguts.ValidHeaderFieldValue(fields[name]) {
			return nil, fieldError(place+"."+name, "the value has control characters; remove them")
		}
		list = append(list, edit{canonical, fields[name]})
	}
	return list, nil
}

func (list edits) apply(h http.Header) {
	if len(list) == 0 {
		return
	}
	// One allocation for all. Not made once for all requests: later handlers may write into the slices.
	values := make([]string, len(list))
	for i, e := range list {
		if e.value == "" {
			delete(h, e.name)
			continue
		}
		values[i] = e.value
		h[e.name] = values[i : i+1 : i+1]
	}
}
