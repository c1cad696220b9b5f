package wire

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// exchange is a request and its answer: what a connection takes when a request comes, and gives back after it. Handlers
// see it as http.Request and http.ResponseWriter; a [RawHandler] sees it before those are made.
type exchange struct {
	conn     *conn
	head     head
	request  *http.Request
	blank    *http.Request // with the context, and nothing else
	context  *requestContext
	header   http.Header // of the request
	url      url.URL
	codings  [1]string // what the request's TransferEncoding lies in
	began    time.Time
	plain    bool     // no http.Request was made yet
	raw      Exchange // what others see of it
	body     requestBody
	response response
}

func newExchange() *exchange {
	e := &exchange{request: new(http.Request), header: make(http.Header)}
	e.renewContext()
	e.body.exchange, e.response.exchange = e, e
	e.response.header = make(http.Header)
	return e
}

func (e *exchange) renewContext() {
	e.context = new(requestContext)
	e.blank = new(http.Request).WithContext(e.context)
}

func (s *Server) takeExchange() *exchange {
	if e, ok := s.exchanges.Get().(*exchange); ok {
		return e
	}
	return newExchange()
}

// giveExchange takes back what a handler had.
func (s *Server) giveExchange(e *exchange) {
	e.response.release()
	if s.Poison {
		e.poison()
		return
	}
	if !e.context.reuse() {
		e.renewContext()
	}
	if e.request.MultipartForm != nil {
		_ = e.request.MultipartForm.RemoveAll()
	}
	*e.request, e.raw = http.Request{}, Exchange{}
	clear(e.header)
	clear(e.response.header)
	e.head.reset()
	s.exchanges.Put(e)
}

// poison makes every use of what was kept visible: values are wrong, and what can fail fails.
func (e *exchange) poison() {
	const spoilt = "kept after the handler returned"
	clear(e.header)
	e.header["Poison"] = []string{spoilt}
	clear(e.response.header)
	e.response.header["Poison"] = []string{spoilt}
	for i := range e.head.values {
		e.head.values[i] = spoilt
	}
	e.url, e.raw = url.URL{Path: spoilt}, Exchange{Method: "POISON"}
	*e.request = http.Request{Method: "POISON", URL: &e.url, Header: e.header, Body: &e.body, RequestURI: spoilt}
	e.response.gone = true
}

// read reads the head of a request and makes a request of it.
func (e *exchange) read(now time.Time) error {
	c := e.conn
	l := c.server.limits()
	c.reading.after(now, c.server.headerTimeout())
	if err := skipEmptyLine(&c.in); err != nil {
		return err
	}
	raw, err := c.in.head(l)
	if err != nil {
		return err
	}
	if err := e.head.parseRequest(raw, l); err != nil {
		return err
	}
	c.in.discard(len(raw))
	c.reading.after(now, c.server.ReadTimeout)
	e.context.conn = c
	e.began = now
	e.tell()
	if e.plain = c.server.raw != nil && e.isPlain(); !e.plain {
		if err := e.fill(); err != nil {
			return err
		}
	}
	e.body.start(l)
	return e.response.start()
}

// skipEmptyLine forgives one empty line before a request (RFC 9112 §2.2).
func skipEmptyLine(in *reader) error {
	for len(in.buffered()) < 2 {
		if err := in.fill(); err != nil {
			return err
		}
	}
	if b := in.buffered(); b[0] == '\r' && b[1] == '\n' {
		in.discard(2)
	}
	return nil
}

// fill makes the http.Request, as http.ReadRequest would.
func (e *exchange) fill() error {
	h, r := &e.head, e.request
	*r = *e.blank
	h.header(e.header)
	r.Method, r.RequestURI, r.Proto, r.ProtoMajor, r.ProtoMinor = h.method, h.target, h.proto, 1, h.minor
	r.Header, r.Host, r.RemoteAddr, r.TLS, r.Close = e.header, h.host, e.conn.remote, e.conn.tls, !h.keepAlive
	if err := e.parseTarget(); err != nil {
		return err
	}
	switch h.length {
	case 0:
		r.Body = http.NoBody
	case lengthChunked:
		e.codings[0] = "chunked"
		r.TransferEncoding, r.ContentLength = e.codings[:], -1
		r.Body = &e.body
		return e.declareTrailer()
	default:
		r.ContentLength = h.length
		r.Body = &e.body
	}
	return nil
}

// parseTarget sets the request's URL, and its Host if the target has one (RFC 9112 §3.2.2).
func (e *exchange) parseTarget() error {
	r := e.request
	r.URL = &e.url
	path, query, asked := strings.Cut(r.RequestURI, "?")
	if r.Method != http.MethodConnect && IsPlainPath(path) {
		e.url = url.URL{Path: path, RawQuery: query, ForceQuery: asked && query == ""}
		return nil
	}
	target := r.RequestURI
	if r.Method == http.MethodConnect {
		target = "http://" + target
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return malformed("RFC 9112 §3.2", "the request target is no URI")
	}
	e.url = *u
	if r.Method == http.MethodConnect {
		e.url.Scheme = ""
	}
	if e.url.Host != "" {
		r.Host = e.url.Host
	}
	return nil
}

// declareTrailer moves the names of Trailer into the request's Trailer, without values yet.
func (e *exchange) declareTrailer() error {
	if !e.head.seen.trailer {
		return nil
	}
	trailer := make(http.Header)
	for _, list := range e.header["Trailer"] {
		for name := range strings.SplitSeq(list, ",") {
			if name = trim(name); name == "" {
				continue
			}
			f, err := parseField(name + ":")
			if err != nil {
				return err
			}
			if !MayTrail(f.Key) {
				return malformed("RFC 9110 §6.5.1", "a trailer field is announced that belongs into the head")
			}
			trailer[f.Key] = nil
		}
	}
	delete(e.header, "Trailer")
	if len(trailer) > 0 {
		e.request.Trailer = trailer
	}
	return nil
}

// expectsContinue reports whether the client waits for our leave to send the body (RFC 9110 §10.1.1).
func (e *exchange) expectsContinue() bool {
	return e.head.minor >= 1 && e.head.length != 0 && hasToken(e.head.expect, "100-continue")
}

var _ io.ReadCloser = (*requestBody)(nil)
