package proxy

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/fairlead/fairlead/internal/upstream"
	"github.com/fairlead/fairlead/internal/wire"
)

// An answer this small is read whole before its head goes to the client. It costs nothing (one buffer, one read), and a
// service that dies in the middle of it costs the client nothing: the request can still be sent elsewhere.
const wholeAnswer = 16 << 10

// copyBuffer is what streams of bodies are copied through.
const copyBuffer = 32 << 10

// copier sends answers to clients.
type copier struct{ buffers sync.Pool }

func newCopier() *copier {
	return &copier{sync.Pool{New: func() any { return new([copyBuffer]byte) }}}
}

// signAnswer makes the fields of a service's answer those of an answer that we pass on.
func (x *exchange) signAnswer(answer *http.Response) {
	removeHopByHop(answer.Header)
	if x.entryPoint.Via.Answers {
		for _, f := range x.sign(nil, answer.Header["Via"], answer.ProtoMajor, answer.ProtoMinor) {
			answer.Header[f.Key] = []string{f.Value}
		}
	}
}

// send sends a service's answer to the client. Its error means that the answer could not be sent whole: the
// connection to the client must then be cut, so that it does not take the part for the whole.
func (c *copier) send(d *delivery, from *wire.Answer, host *upstream.Host) error {
	w, answer := d.w, from.Response()       //nolint:bodyclose // whoever called Send closes it
	announced := maps.Clone(answer.Trailer) // reading the body adds to it
	d.x.signAnswer(answer)
	if !host.Gateway() {
		delete(answer.Header, reasonField)
	}
	d.addCookies(host, answer.Header)
	wire.Like(d.x.writer, from)
	h := w.Header()
	if h["Alt-Svc"] != nil {
		delete(answer.Header, "Alt-Svc") // where we are reached is not the service's to say
	}
	maps.Copy(h, answer.Header)
	if _, typed := h["Content-Type"]; !typed {
		h["Content-Type"] = nil // the engine does not guess what the service did not say
	}
	if len(announced) > 0 {
		for _, name := range slices.Sorted(maps.Keys(announced)) {
			h.Add("Trailer", name)
		}
		if d.major() == 1 {
			h.Del("Content-Length") // in HTTP/1.1 only chunks have a trailer (RFC 9112 §7.1.2)
		}
	}
	w.WriteHeader(answer.StatusCode)
	if err := c.body(d.ctx, w, answer.Body, d.x.ended); err != nil {
		return err
	}
	if len(answer.Trailer) == 0 {
		return nil
	}
	if err := http.NewResponseController(w).Flush(); err != nil { // chunks, so that there is a place for trailers
		return err
	}
	for name, values := range answer.Trailer {
		if _, ok := announced[name]; !ok {
			name = http.TrailerPrefix + name
		}
		h[name] = values
	}
	return nil
}

var errEnded = errors.New("the session that carried the request was ended")

// body streams a body to the client. What has come is flushed whenever the service pauses, so that events and slow
// streams arrive as they are sent, and large bodies go in full buffers.
func (c *copier) body(ctx context.Context, w http.ResponseWriter, body io.Reader, done <-chan struct{}) error {
	if body == http.NoBody {
		return nil
	}
	if whole, ok := body.(interface{ Settled() bool }); ok && whole.Settled() {
		_, err := body.(io.WriterTo).WriteTo(w)
		return err
	}
	buffer := c.buffers.Get().(*[copyBuffer]byte)
	defer c.buffers.Put(buffer)
	flusher := http.NewResponseController(w)
	if later, knows := body.(interface{ Waits() bool }); !knows || later.Waits() {
		if err := flusher.Flush(); err != nil { // the head need not wait for the body
			return err
		}
	}
	for {
		n, readErr := body.Read(buffer[:])
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return err
			}
			if n < len(buffer) && readErr == nil {
				if err := flusher.Flush(); err != nil {
					return err
				}
			}
		}
		switch {
		case readErr == io.EOF:
			return nil
		case readErr != nil:
			return readErr
		}
		select {
		case <-done:
			return errEnded
		case <-ctx.Done():
			return context.Cause(ctx)
		default:
		}
	}
}
