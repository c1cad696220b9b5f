package proxy

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"
)

// ServeHTTP makes of what quic-go has what the other engines give to the handler.
func (e *http3Engine) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	conn := http3ConnOf(in.Context())
	if !conn.begin() {
		panic(http.ErrAbortHandler)
	}
	defer conn.end()
	answer := &http3Answer{ResponseWriter: w, control: http.NewResponseController(w), stall: e.stall}
	if e.write > 0 {
		answer.end = time.Now().Add(e.write)
		_ = answer.control.SetWriteDeadline(answer.end)
	}
	if e.read > 0 {
		_ = answer.control.SetReadDeadline(time.Now().Add(e.read))
	}
	r := in.WithContext(in.Context())
	if r.Proto != "HTTP/3.0" { // it is the protocol of an extended CONNECT (RFC 9220)
		r.Header[protocolField], r.Proto = []string{r.Proto}, "HTTP/3.0"
	}
	body := &http3Body{from: in, body: in.Body, answer: answer, trailer: announced(in.Trailer)}
	body.asks = in.Header.Get("Expect") == "100-continue"
	r.Body, r.Trailer, in.Trailer = body, body.trailer, nil
	if in.ContentLength == 0 || in.ContentLength < 0 && seldomHasBody(in.Method) && !body.peek() {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	e.handler.ServeHTTP(answer, r)
	if in.Method == http.MethodHead {
		_ = answer.FlushError() // or the length of what was not written is taken for that of the answer
	}
}

// announced is where the trailer will be found: never nil, for it may come unannounced.
func announced(trailer http.Header) http.Header {
	if trailer == nil {
		return make(http.Header)
	}
	return trailer
}

// seldomHasBody says of which requests the body is looked for before they are served: in HTTP/3 a request without a
// length may have one or not, and which is known only when the stream ends.
func seldomHasBody(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// http3Body is the body of a request.
type http3Body struct {
	from    *http.Request // gets the trailer when the body has been read
	body    io.ReadCloser
	trailer http.Header // where the handler finds it
	answer  *http3Answer
	asks    bool // the client waits for 100 (Continue)

	first    [1]byte // read by peek
	has      int     // of first
	firstErr error   // that came with it
}

// peek reports whether there is a body.
func (b *http3Body) peek() bool {
	b.has, b.firstErr = b.Read(b.first[:])
	return b.has > 0 || !errors.Is(b.firstErr, io.EOF)
}

func (b *http3Body) Read(p []byte) (int, error) {
	if b.has > 0 && len(p) > 0 {
		n := copy(p, b.first[:b.has])
		b.has = 0
		return n, b.firstErr
	}
	if b.firstErr != nil {
		return 0, b.firstErr
	}
	if b.asks {
		b.asks = false
		b.answer.goOn()
	}
	n, err := b.body.Read(p)
	switch {
	case err == io.EOF:
		maps.Copy(b.trailer, b.from.Trailer)
	case err != nil: // there is more than the length says: then the last of it is not passed on, or it would be a request
		n = 0
	}
	return n, err
}

func (b *http3Body) Close() error { return b.body.Close() }

// http3Answer is the http.ResponseWriter of a request.
type http3Answer struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration // for the client to take what is written; 0: no limit
	end     time.Time     // by when all of the answer must be taken; zero: no limit

	// mu keeps 100 (Continue), which another goroutine's reading of the body sends, out of the answer.
	mu    sync.Mutex
	begun bool // the client has its answer, or was told to go on
}

// goOn asks the client for the body.
func (a *http3Answer) goOn() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.begun {
		a.begun = true
		a.ResponseWriter.WriteHeader(http.StatusContinue)
	}
}

// WriteHeader is part of http.ResponseWriter.
func (a *http3Answer) WriteHeader(status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if status == http.StatusContinue && a.begun {
		return // reading the body, which a service asked for just now, was faster
	}
	a.begun = a.begun || status >= 200 || status == http.StatusContinue
	a.patient()
	a.ResponseWriter.WriteHeader(status)
}

// Write is part of http.ResponseWriter.
func (a *http3Answer) Write(b []byte) (int, error) {
	a.begin()
	return a.ResponseWriter.Write(b)
}

// FlushError sends what has been written.
func (a *http3Answer) FlushError() error {
	a.begin()
	return a.control.Flush()
}

// begin notes that the answer begins, if it has not.
func (a *http3Answer) begin() {
	a.mu.Lock()
	a.begun = true
	a.mu.Unlock()
	a.patient()
}

// patient gives the client time to take what is written next.
func (a *http3Answer) patient() {
	if a.stall == 0 {
		return
	}
	by := time.Now().Add(a.stall)
	if !a.end.IsZero() && a.end.Before(by) {
		by = a.end
	}
	_ = a.control.SetWriteDeadline(by)
}

// Unwrap lets http.ResponseController reach quic-go's.
func (a *http3Answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
