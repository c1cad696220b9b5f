package proxy

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/upstream"
)

// cookie is how a client is told where its session is, and how it tells us.
type cookie struct {
	name string
	tail string // what follows the value
}

// mark is what a cookie says of one place.
type mark struct {
	cookie *cookie
	value  string
}

// field is what tells the client.
func (m mark) field() string { return m.cookie.name + "=" + m.value + m.cookie.tail }

// newCookie returns the cookie of a sticky service; nil: it has none.
func newCookie(s *model.Sticky) *cookie {
	if s == nil {
		return nil
	}
	c := http.Cookie{
		Name: s.Name, Value: "x", Path: s.Path, Domain: s.Domain, MaxAge: s.MaxAge, Secure: s.Secure, HttpOnly: s.HTTPOnly,
	}
	switch s.SameSite {
	case "none":
		c.SameSite = http.SameSiteNoneMode
	case "lax":
		c.SameSite = http.SameSiteLaxMode
	case "strict":
		c.SameSite = http.SameSiteStrictMode
	}
	return &cookie{s.Name, strings.TrimPrefix(c.String(), s.Name+"=x")}
}

// markText writes a mark as cookies have it. It says nothing of the place to those who do not know the places, and it
// needs no secret: a client that makes one up chooses among places that it may come to in any case.
func markText(of uint64) string { return strconv.FormatUint(of, 36) }

// pinned returns the part that the request's session belongs to; nil: there is none, or it is down.
func (b *backend) pinned(d *delivery) *backend {
	if b.cookie == nil {
		return nil
	}
	value := d.cookie(b.cookie.name)
	if value == "" {
		return nil
	}
	for i := range b.parts {
		if p := &b.parts[i]; p.marks[len(b.marks)].value == value && p.up() {
			return p
		}
	}
	return nil
}

// pin returns the mark of the host that the request's session belongs to; 0: none.
func (b *backend) pin(d *delivery) uint64 {
	if b.cookie == nil || b.pool == nil {
		return 0
	}
	of, err := strconv.ParseUint(d.cookie(b.cookie.name), 36, 64)
	if err != nil {
		return 0
	}
	return of
}

// cookie returns the value of one of the request's cookies; "": it has none of the name.
func (d *delivery) cookie(name string) string {
	if d.r == nil {
		for i := range d.x.raw.Fields {
			if f := &d.x.raw.Fields[i]; f.Key == "Cookie" {
				if value := cookieIn(f.Value, name); value != "" {
					return value
				}
			}
		}
		return ""
	}
	for _, line := range d.r.Header["Cookie"] {
		if value := cookieIn(line, name); value != "" {
			return value
		}
	}
	return ""
}

// cookieIn finds a cookie in a field (RFC 6265 §4.2.1).
func cookieIn(line, name string) string {
	for line != "" {
		var pair string
		pair, line, _ = strings.Cut(line, ";")
		if key, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && key == name {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}

// newCookies calls f with each cookie that the client is to be sent: those that would lead its next request elsewhere
// than where this one went.
func (d *delivery) newCookies(host *upstream.Host, f func(field string)) {
	b := d.backend
	for _, m := range b.marks {
		if d.cookie(m.cookie.name) != m.value {
			f(m.field())
		}
	}
	if b.cookie != nil && b.pin(d) != host.Mark() {
		f(mark{b.cookie, markText(host.Mark())}.field())
	}
}

// isSticky reports whether there may be cookies to send.
func (b *backend) isSticky() bool { return b.cookie != nil || len(b.marks) > 0 }

// addCookies adds the cookies that the client is to be sent to an answer's fields.
func (d *delivery) addCookies(host *upstream.Host, h http.Header) {
	if d.backend.isSticky() {
		d.newCookies(host, func(field string) { h["Set-Cookie"] = append(slices.Clip(h["Set-Cookie"]), field) })
	}
}
