package middleware

import (
	"bufio"
	"cmp"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	defaultMinBytes = 1024
	maxMinBytes     = 1 << 20 // so much of an answer is held until it is known whether there is enough of it
)

// compress is the definition, checked.
type compress struct {
	encodings          []string
	fallback           string
	least              int
	included, excluded []string // media types, in lower case
	encoders           *encoders
}

// newCompress encodes answers for clients that accept it.
func newCompress(s *Set, _ place, spec *model.Compress) (Func, error) {
	c := &compress{
		encodings: spec.Encodings, fallback: spec.DefaultEncoding, least: cmp.Or(spec.MinBytes, defaultMinBytes),
		included: mediaTypes(spec.Included), excluded: mediaTypes(spec.Excluded), encoders: s.encoders,
	}
	if c.encodings == nil {
		c.encodings = []string{"gzip", "br", "zstd"}
	}
	for i, e := range c.encodings {
		if !slices.Contains([]string{"gzip", "br", "zstd"}, e) {
			return nil, fieldError(fmt.Sprintf("compress.encodings[%d]", i), "%q is none of gzip, br and zstd", e)
		}
	}
	switch {
	case c.fallback != "" && !slices.Contains(c.encodings, c.fallback):
		return nil, fieldError("compress.defaultEncoding", "%q is none of the encodings", c.fallback)
	case c.least < 0 || c.least > maxMinBytes:
		return nil, fieldError("compress.minResponseBodyBytes", "%d is out of range; use up to %d", c.least, maxMinBytes)
	case c.included != nil && c.excluded != nil:
		return nil, fieldError("compress.includedContentTypes", "cannot be given with excludedContentTypes; keep one")
	}
	return c.wrap, nil
}

func mediaTypes(list []string) (types []string) {
	for _, t := range list {
		types = append(types, mediaType(t))
	}
	return types
}

// mediaType returns a type without its parameters and in lower case.
func mediaType(s string) string {
	s, _, _ = strings.Cut(s, ";")
	return strings.ToLower(strings.TrimSpace(s))
}

func (c *compress) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if mediaType(r.Header.Get("Content-Type")) == "application/grpc" {
			next.ServeHTTP(w, r)
			return
		}
		cw := &compressWriter{ResponseWriter: w, compress: c, head: r.Method == http.MethodHead}
		cw.encoding = negotiate(r.Header["Accept-Encoding"], c.encodings, c.fallback)
		next.ServeHTTP(cw, r)
		cw.finish() // not when next panics: who cuts an answer does not want it ended well
	})
}

// suits reports whether answers of a media type are encoded.
func (c *compress) suits(contentType string) bool {
	switch t := mediaType(contentType); {
	case t == "application/grpc":
		return false
	case c.included != nil:
		return slices.Contains(c.included, t)
	case t == "text/event-stream": // who wants events wants them at once, and encoded only if asked for
		return false
	default:
		return !slices.Contains(c.excluded, t)
	}
}

// compressWriter holds the beginning of an answer back until it is known whether it is encoded.
type compressWriter struct {
	http.ResponseWriter
	*compress
	encoding string // that the client accepts; "": none
	head     bool   // the request's method: the answer has no body

	status  int     // that was given; 0: none yet
	held    []byte  // of the body
	decided bool    // the head is sent
	encoder encoder // nil: the answer is not encoded
}

// WriteHeader sends the head of an answer that is not encoded at once, and holds the others.
func (w *compressWriter) WriteHeader(status int) {
	switch {
	case !isFinal(status):
		w.ResponseWriter.WriteHeader(status)
	case w.status == 0:
		w.status = status
		if !w.mayEncode() {
			_ = w.pass() // nothing of the body is held yet
		}
	}
}

// mayEncode looks at what the head says.
func (w *compressWriter) mayEncode() bool {
	h := w.Header()
	switch {
	case w.status < 200, w.status == http.StatusNoContent, w.status == http.StatusNotModified,
		w.status == http.StatusPartialContent, h.Get("Content-Range") != "", // a range is one of the bytes as they are
		h.Get("Content-Encoding") != "", strings.Contains(h.Get("Cache-Control"), "no-transform"):
		return false
	}
	if t := h.Get("Content-Type"); t != "" && !w.suits(t) {
		return false
	}
	if length, err := strconv.Atoi(h.Get("Content-Length")); err == nil && length < w.least {
		return false
	}
	addVary(h, "Accept-Encoding") // for others, the answer may be another (RFC 9110 §12.5.5)
	return w.encoding != "" && !w.head
}

func (w *compressWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.encoder != nil:
		return w.encoder.Write(p)
	case w.decided:
		return w.ResponseWriter.Write(p)
	}
	w.held = append(w.held, p...)
	if len(w.held) < w.least {
		return len(p), nil
	}
	return len(p), w.encode()
}

// encode begins to encode the answer, unless the first bytes say that its type does not suit.
func (w *compressWriter) encode() error {
	h := w.Header()
	if h.Get("Content-Type") == "" && len(w.held) > 0 { // once it is encoded, nobody can tell any more
		h.Set("Content-Type", http.DetectContentType(w.held))
		if !w.suits(h.Get("Content-Type")) {
			return w.pass()
		}
	}
	w.decided = true
	h.Set("Content-Encoding", w.encoding)
	for _, name := range []string{"Content-Length", "Accept-Ranges", "Content-Md5", "Content-Digest", "Digest"} {
		delete(h, name) // these are about the bytes as they were
	}
	if tag := h.Get("Etag"); strings.HasPrefix(tag, `"`) { // equal in meaning, but not in bytes (RFC 9110 §8.8.1)
		h.Set("Etag", "W/"+tag)
	}
	w.ResponseWriter.WriteHeader(w.status)
	w.encoder = w.encoders.lend(w.encoding, w.ResponseWriter)
	held := w.held
	w.held = nil
	_, err := w.encoder.Write(held)
	return err
}

// pass sends what is held as it is.
func (w *compressWriter) pass() error {
	w.decided = true
	w.ResponseWriter.WriteHeader(w.status)
	held := w.held
	w.held = nil
	if len(held) == 0 {
		return nil
	}
	_, err := w.ResponseWriter.Write(held)
	return err
}

// finish ends the answer. One of which less came than is worth the effort is not encoded.
func (w *compressWriter) finish() {
	switch {
	case w.encoder != nil:
		if w.encoder.Close() == nil { // else the client is gone
			w.encoders.giveBack(w.encoding, w.encoder)
		}
	case w.status != 0 && !w.decided:
		_ = w.pass()
	}
}

// Flush is for those who do not use http.ResponseController.
func (w *compressWriter) Flush() { _ = w.FlushError() }

// FlushError sends what came so far. An answer that is flushed is a stream, which is encoded however small it is:
// nobody knows yet how much will come.
func (w *compressWriter) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.decided {
		if err := w.encode(); err != nil {
			return err
		}
	}
	if w.encoder != nil {
		if err := w.encoder.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack hands over the connection.
func (w *compressWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.decided = true
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Unwrap gives http.ResponseController the rest.
func (w *compressWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
