package middleware

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/model"
)

// cors is the part of headers that tells browsers which pages of other origins may use an answer.
type cors struct {
	origins                 []string
	regexes                 []*regexp.Regexp
	methods, allow, expose  string // as they are sent
	maxAge                  string // "": as long as the browser likes
	credentials, varyOrigin bool
}

// newCORS returns nil for nil.
func newCORS(spec *model.CORS) (*cors, error) {
	if spec == nil {
		return nil, nil
	}
	c := &cors{
		origins: spec.Origins, methods: strings.Join(spec.Methods, ","), allow: strings.Join(spec.Headers, ","),
		expose: strings.Join(spec.ExposeHeaders, ","), credentials: spec.Credentials, varyOrigin: spec.Vary,
	}
	if spec.MaxAge > 0 {
		c.maxAge = strconv.FormatInt(spec.MaxAge, 10)
	}
	for i, text := range spec.OriginRegexes {
		re, err := parseRegex(fmt.Sprintf("headers.accessControlAllowOriginListRegex[%d]", i), text)
		if err != nil {
			return nil, err
		}
		c.regexes = append(c.regexes, re)
	}
	for _, value := range slices.Concat(spec.Origins, []string{c.methods, c.allow, c.expose}) {
		if !httpguts.ValidHeaderFieldValue(value) {
			return nil, fieldError("headers.accessControlAllow…", "%q has control characters; remove them", value)
		}
	}
	return c, nil
}

// isPreflight recognises the request that a browser makes to ask whether it may make another.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" &&
		r.Header.Get("Access-Control-Request-Method") != ""
}

func (c *cors) answerPreflight(w http.ResponseWriter, origin string) {
	h := w.Header()
	c.applyOrigin(h, origin)
	if c.allow != "" {
		h.Set("Access-Control-Allow-Headers", c.allow)
	}
	if c.methods != "" {
		h.Set("Access-Control-Allow-Methods", c.methods)
	}
	if c.maxAge != "" {
		h.Set("Access-Control-Max-Age", c.maxAge)
	}
	h.Set("Content-Length", "0")
	setReason(w, "preflight")
	w.WriteHeader(http.StatusOK)
}

// apply changes the fields of an answer to a page of the origin.
func (c *cors) apply(h http.Header, origin string) {
	c.applyOrigin(h, origin)
	if c.expose != "" {
		h.Set("Access-Control-Expose-Headers", c.expose)
	}
}

func (c *cors) applyOrigin(h http.Header, origin string) {
	if allowed := c.allows(origin); allowed != "" {
		h.Set("Access-Control-Allow-Origin", allowed)
	}
	if c.credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if c.varyOrigin {
		addVary(h, "Origin")
	}
}

// allows returns what the browser is told of the origin: "*", or the origin; "": it may not use the answer.
func (c *cors) allows(origin string) string {
	for _, o := range c.origins {
		if o == "*" || o == origin {
			return o
		}
	}
	for _, re := range c.regexes {
		if re.MatchString(origin) {
			return origin
		}
	}
	return ""
}

// addVary says that answers differ by a field of the request (RFC 9110 §12.5.5), unless the service says so already.
func addVary(h http.Header, name string) {
	for _, line := range h["Vary"] {
		for field := range strings.SplitSeq(line, ",") {
			if field = strings.TrimSpace(field); field == "*" || strings.EqualFold(field, name) {
				return
			}
		}
	}
	h.Add("Vary", name)
}
