package middleware

import (
	"cmp"
	"io"
	"maps"
	"net/http"
	"strconv"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	defaultMemBytes    = 1 << 20
	defaultMaxRequest  = 1 << 30 // a stranger must not fill the disk
	maxBufferedRetries = 10
)

// buffering is the definition, checked.
type buffering struct {
	*model.Buffering
	maxRequest, memRequest, memResponse int64
}

// newBuffering reads requests and answers whole, and forwards a request again where its answer is not what is wanted.
func newBuffering(_ *Set, _ place, spec *model.Buffering) (Func, error) {
	if min(spec.MaxRequest, spec.MemRequest, spec.MaxResponse, spec.MemResponse) < 0 {
		return nil, fieldError("buffering", "has a negative size")
	}
	if spec.Retry != nil && (spec.PassRequest || spec.PassResponse) {
		return nil, fieldError("buffering.retryExpression", "needs request and answer whole; let both be buffered")
	}
	b := &buffering{
		spec, cmp.Or(spec.MaxRequest, defaultMaxRequest), cmp.Or(spec.MemRequest, defaultMemBytes),
		cmp.Or(spec.MemResponse, defaultMemBytes),
	}
	return b.wrap, nil
}

func (b *buffering) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > b.maxRequest {
			refuse(w, http.StatusRequestEntityTooLarge, "refused_by_buffering")
			return
		}
		body := &spool{memory: b.memRequest}
		defer body.close()
		if !b.PassRequest && !b.read(w, r, body) {
			return
		}
		if b.PassResponse {
			b.give(r, body)
			next.ServeHTTP(w, r)
			return
		}
		b.serve(w, r, body, next)
	})
}

// read takes the request's body. It reports false when the client was refused.
func (b *buffering) read(w http.ResponseWriter, r *http.Request, body *spool) bool {
	if r.Body == nil || r.Body == http.NoBody {
		return true
	}
	n, err := io.Copy(body, io.LimitReader(r.Body, b.maxRequest+1))
	switch {
	case n > b.maxRequest:
		refuse(w, http.StatusRequestEntityTooLarge, "refused_by_buffering")
	case body.err != nil:
		refuse(w, http.StatusInternalServerError, "buffer_full")
	case err != nil:
		refuse(w, http.StatusBadRequest, "refused_by_buffering")
	default:
		return true
	}
	return false
}

// give puts the body that was read into the request.
func (b *buffering) give(r *http.Request, body *spool) {
	if b.PassRequest {
		return
	}
	r.Body, r.ContentLength, r.TransferEncoding = http.NoBody, body.size, nil
	if body.size > 0 {
		r.Body = io.NopCloser(body.reader())
	}
}

// serve forwards the request until its answer is wanted, and sends that.
func (b *buffering) serve(w http.ResponseWriter, r *http.Request, body *spool, next http.Handler) {
	for attempt := 1; ; attempt++ {
		again := r
		if b.Retry != nil { // handlers change it
			again = r.Clone(r.Context())
		}
		b.give(again, body)
		bw := newBufferWriter(w, b)
		wanted := func() bool {
			defer bw.body.close() // nothing, if it was sent
			next.ServeHTTP(bw, again)
			unwanted := attempt <= maxBufferedRetries && r.Context().Err() == nil &&
				b.unwanted(attempt, cmp.Or(bw.status, http.StatusOK))
			if bw.passed || unwanted {
				return bw.passed
			}
			bw.send(r.Method)
			return true
		}()
		if wanted {
			return
		}
		setReason(w, "") // what was said of the answer before does not count
	}
}

func (b *buffering) unwanted(attempt, status int) bool {
	return b.Retry != nil && b.Retry.Holds(func(metric string, _ []float64) float64 {
		switch metric {
		case "Attempts":
			return float64(attempt)
		case "ResponseCode":
			return float64(status)
		}
		if status == http.StatusBadGateway || status == http.StatusGatewayTimeout { // IsNetworkError
			return 1
		}
		return 0
	})
}

// bufferWriter keeps an answer.
type bufferWriter struct {
	http.ResponseWriter
	header   http.Header
	status   int
	body     spool
	most     int64 // 0: no limit
	tooLarge bool
	passed   bool // it is no answer to keep: the connection speaks another protocol now
}

func newBufferWriter(w http.ResponseWriter, b *buffering) *bufferWriter {
	return &bufferWriter{
		ResponseWriter: w, header: w.Header().Clone(), most: b.MaxResponse, body: spool{memory: b.memResponse},
	}
}

// Header is that of this answer: another attempt begins with none of it.
func (w *bufferWriter) Header() http.Header {
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}

// WriteHeader passes informational answers on. The one that changes the protocol is sent at once.
func (w *bufferWriter) WriteHeader(status int) {
	switch {
	case status == http.StatusSwitchingProtocols:
		w.passed = true
		w.sendHead(status)
	case !isFinal(status):
		before := maps.Clone(w.ResponseWriter.Header())
		w.sendHead(status)
		clear(w.ResponseWriter.Header())
		maps.Copy(w.ResponseWriter.Header(), before)
	case w.status == 0:
		w.status = status
	}
}

func (w *bufferWriter) sendHead(status int) {
	h := w.ResponseWriter.Header()
	clear(h)
	maps.Copy(h, w.header)
	w.ResponseWriter.WriteHeader(status)
}

func (w *bufferWriter) Write(p []byte) (int, error) {
	if w.most > 0 && w.body.size+int64(len(p)) > w.most {
		w.tooLarge = true
	}
	if w.tooLarge {
		return len(p), nil // the rest is not wanted
	}
	return w.body.Write(p)
}

// Flush does nothing: the answer is sent when it is whole.
func (w *bufferWriter) Flush() {}

// FlushError does nothing.
func (w *bufferWriter) FlushError() error { return nil }

// Unwrap gives http.ResponseController the rest.
func (w *bufferWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// send sends the answer that was kept.
func (w *bufferWriter) send(method string) {
	if w.tooLarge || w.body.err != nil {
		refuse(w.ResponseWriter, http.StatusInternalServerError, "answer_too_large")
		return
	}
	if w.body.size > 0 && method != http.MethodHead {
		w.Header().Set("Content-Length", strconv.FormatInt(w.body.size, 10))
	}
	w.sendHead(cmp.Or(w.status, http.StatusOK))
	if w.body.size > 0 {
		_, _ = io.Copy(w.ResponseWriter, w.body.reader())
	}
}
