package h2

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/fairlead/fairlead/internal/wire"
)

// maxMethod is wire's.
const maxMethod = 32

// head is the fields of a request while they come. A head that is malformed is read on, as the table of fields must
// stay what the client thinks it is.
type head struct {
	method, scheme, authority, path, protocol string

	host   string
	hosts  int
	length int64 // of the body, as declared; -1: not
	cookie int   // where in fields it is, counted from 1; 0: nowhere
	expect string

	fields []wire.Field // all others, in the order in which they came

	regular   bool   // a field that is no pseudo-header field has come
	announces bool   // it has a Trailer
	large     bool   // more than allowed: it is answered 431
	malformed string // why it is refused; "" if it is not
	section   string // of RFC 9113, with that

	values []string // what the one-element slices of the header lie in
}

func (h *head) reset() {
	clear(h.values)
	clear(h.fields)
	*h = head{length: -1, values: h.values[:0], fields: h.fields[:0]}
}

func (h *head) wrong(section, why string) {
	if h.malformed == "" {
		h.malformed, h.section = why, section
	}
}

// pseudo takes a pseudo-header field (RFC 9113 §8.3).
func (h *head) pseudo(f hpack.HeaderField) {
	if h.regular {
		h.wrong("8.3", "a pseudo-header field after others")
		return
	}
	var into *string
	switch f.Name {
	case ":method":
		into = &h.method
	case ":scheme":
		into = &h.scheme
	case ":authority":
		into = &h.authority
	case ":path":
		into = &h.path
	case ":protocol":
		into = &h.protocol
	default:
		h.wrong("8.3", "an unknown pseudo-header field")
		return
	}
	if *into != "" || f.Value == "" {
		h.wrong("8.3", "a pseudo-header field twice, or empty")
		return
	}
	*into = f.Value
}

// field takes any other field.
func (h *head) field(f hpack.HeaderField) {
	h.regular = true
	if !isLowerToken(f.Name) {
		h.wrong("8.2.1", "a field name that is no token in lower case")
		return
	}
	if !isValue(f.Value) {
		h.wrong("8.2.1", "a character in a field that does not belong there")
		return
	}
	switch f.Name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		h.wrong("8.2.2", "a field that concerns a connection of HTTP/1.1")
		return
	case "te":
		if f.Value != "trailers" {
			h.wrong("8.2.2", "TE with anything but trailers")
		}
	case "host":
		h.hosts++
		h.host = f.Value
		return
	case "content-length":
		n, ok := wire.ParseLength(f.Value)
		if !ok || h.length >= 0 {
			h.wrong("8.1.1", "Content-Length is not one number")
		}
		h.length = n
	case "cookie": // RFC 9113 §8.2.3
		if h.cookie > 0 {
			h.fields[h.cookie-1].Value += "; " + f.Value
			return
		}
		h.cookie = len(h.fields) + 1
	case "expect":
		h.expect = f.Value
	case "trailer":
		h.announces = true
	}
	key := keyOf(f.Name)
	h.fields = append(h.fields, wire.Field{Key: key, Name: key, Value: f.Value})
}

func (h *head) add(to http.Header, key, value string) {
	if earlier, found := to[key]; found {
		to[key] = append(earlier, value)
		return
	}
	n := len(h.values)
	h.values = append(h.values, value)
	to[key] = h.values[n : n+1 : n+1]
}

// isLowerToken reports whether s is a field name as HTTP/2 has it.
func isLowerToken(s string) bool {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return false
		}
	}
	return wire.IsToken(s)
}

// isValue accepts what may stand in a line, without white space around it.
func isValue(s string) bool {
	if s == "" {
		return true
	}
	first, last := s[0], s[len(s)-1]
	return first != ' ' && first != '\t' && last != ' ' && last != '\t' && wire.IsFieldValue(s)
}

// check looks at the whole. ended: no body follows.
func (h *head) check(ended bool) {
	switch {
	case h.method == "":
		h.wrong("8.3.1", "no method")
	case len(h.method) > maxMethod || !wire.IsToken(h.method):
		h.wrong("8.3.1", "the method is no token, or too long to be known")
	case h.length > 0 && ended:
		h.wrong("8.1.1", "a Content-Length, and no body")
	case h.protocol != "" && h.method != http.MethodConnect:
		h.wrong("8.3", ":protocol without CONNECT (RFC 8441 §4)")
	case h.method == http.MethodConnect && h.protocol == "":
		h.checkConnect()
	default:
		h.checkTarget()
	}
	h.checkHost()
}

// checkConnect: CONNECT has an authority and nothing else (RFC 9113 §8.5).
func (h *head) checkConnect() {
	if h.scheme != "" || h.path != "" || h.authority == "" || !strings.Contains(h.authority, ":") {
		h.wrong("8.5", "CONNECT with more or less than host and port")
	}
}

func (h *head) checkTarget() {
	switch {
	case h.scheme != "http" && h.scheme != "https":
		h.wrong("8.3.1", "the scheme is neither http nor https")
	case h.path == "*" && h.method == http.MethodOptions:
	case h.path == "" || h.path[0] != '/':
		h.wrong("8.3.1", "the path does not begin with a slash")
	case h.protocol != "" && !wire.IsToken(h.protocol):
		h.wrong("8.3", "the protocol is no token")
	default:
		for i := range len(h.path) {
			if c := h.path[i]; c <= ' ' || c >= 0x7f || c == '#' {
				h.wrong("8.3.1", "a character in the path that does not belong there")
			}
		}
	}
}

// checkHost wants one host, whichever field has it (RFC 9113 §8.3.1).
func (h *head) checkHost() {
	if h.authority == "" {
		h.authority = h.host
	}
	switch {
	case h.hosts > 1, h.hosts == 1 && h.host != h.authority:
		h.wrong("8.3.1", "more than one host")
	case !wire.IsHost(h.authority):
		h.wrong("8.3.1", "no valid host")
	}
}

// fill makes the http.Request, as net/http's server does.
func (s *stream) fill() {
	h, r := &s.head, s.request
	*r = *s.blank
	r.Method, r.RequestURI, r.Proto, r.ProtoMajor = h.method, h.path, "HTTP/2.0", 2
	r.Header, r.Host, r.RemoteAddr, r.TLS = s.header, h.authority, s.conn.remote, s.conn.tls
	r.URL = &s.url
	for i := range h.fields {
		h.add(s.header, h.fields[i].Key, h.fields[i].Value)
	}
	switch {
	case h.protocol != "":
		h.add(s.header, ":protocol", h.protocol)
		s.parsePath()
	case h.method == http.MethodConnect:
		s.url = url.URL{Host: h.authority}
		r.RequestURI = h.authority
	default:
		s.parsePath()
	}
	r.ContentLength, r.Body = max(h.length, 0), http.NoBody
	if s.body != nil {
		r.ContentLength, r.Body = h.length, s.body
		s.body.inform = wire.HasToken(h.expect, "100-continue")
	}
	s.announce()
}

func (s *stream) parsePath() {
	path, query, asked := strings.Cut(s.head.path, "?")
	if wire.IsPlainPath(path) {
		s.url = url.URL{Path: path, RawQuery: query, ForceQuery: asked && query == ""}
		return
	}
	u, err := url.ParseRequestURI(s.head.path)
	if err != nil {
		s.head.wrong("8.3.1", "the path cannot be decoded")
		return
	}
	s.url = *u
}

// isPlain reports whether the request may go to a wire.RawHandler.
func (s *stream) isPlain() bool {
	h := &s.head
	if s.conn.raw == nil || h.large || h.protocol != "" || h.hosts > 0 || h.expect != "" || h.announces ||
		s.body != nil && h.length < 0 || wire.Has(h.fields, "Te") {
		return false
	}
	path, _, _ := strings.Cut(h.path, "?")
	return wire.IsPlainPath(path)
}

// tell fills in what others see of the request as it came.
func (s *stream) tell(now time.Time) {
	h, c := &s.head, s.conn
	s.raw = wire.Exchange{
		Method: h.method, Target: h.path, Host: h.authority, Proto: "HTTP/2.0", Major: 2, Fields: h.fields,
		Began: now, TLS: c.tls, RemoteAddr: c.remote, Client: c.client, Context: s.context, Answerer: &s.response,
	}
	if s.body != nil {
		s.raw.Body, s.raw.Length = s.body, h.length
	}
}

// announce moves the names of Trailer into the request's Trailer, without values yet.
func (s *stream) announce() {
	if !s.head.announces {
		return
	}
	trailer := make(http.Header)
	for _, list := range s.header["Trailer"] {
		for name := range strings.SplitSeq(list, ",") {
			key := keyOf(strings.ToLower(strings.Trim(name, " \t")))
			if key == "" {
				continue
			}
			if !wire.IsToken(key) || !wire.MayTrail(key) {
				s.head.wrong("8.1", "a trailer field is announced that belongs into the head")
				return
			}
			trailer[key] = nil
		}
	}
	delete(s.header, "Trailer")
	if len(trailer) > 0 {
		s.request.Trailer = trailer
	}
}
