package middleware

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	grpcType        = "application/grpc"
	grpcWebType     = "application/grpc-web"
	grpcWebTextType = "application/grpc-web-text"
)

// newGRPCWeb lets browsers talk to services of gRPC
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md).
func newGRPCWeb(_ *Set, _ place, spec *model.GRPCWeb) (Func, error) {
	allows := func(origin string) bool {
		return slices.Contains(spec.AllowOrigins, "*") || slices.Contains(spec.AllowOrigins, origin)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			origin := r.Header.Get("Origin")
			allowed := origin != "" && allows(origin)
			switch {
			case isGRPCWebPreflight(r):
				answerGRPCWebPreflight(w, r, allowed)
			case r.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("Content-Type"), grpcWebType):
				gw := newGRPCWebWriter(w, r, allowed)
				toGRPC(r)
				next.ServeHTTP(gw, r)
				gw.finish() // not when next panics: a part must not look like the whole
			default:
				next.ServeHTTP(w, r)
			}
		})
	}, nil
}

// isGRPCWebPreflight recognises what a browser asks before it sends a request of gRPC-Web for a page.
func isGRPCWebPreflight(r *http.Request) bool {
	asked := strings.ToLower(r.Header.Get("Access-Control-Request-Headers"))
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" &&
		strings.Contains(asked, "x-grpc-web")
}

func answerGRPCWebPreflight(w http.ResponseWriter, r *http.Request, allowed bool) {
	h := w.Header()
	for _, name := range []string{"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"} {
		addVary(h, name)
	}
	method := strings.ToUpper(r.Header.Get("Access-Control-Request-Method"))
	if allowed && (method == http.MethodGet || method == http.MethodPost || method == http.MethodHead) {
		h.Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		h.Set("Access-Control-Allow-Methods", method)
		h.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Max-Age", "600")
	}
	setReason(w, "preflight")
	w.WriteHeader(http.StatusNoContent)
}

// toGRPC makes a request of gRPC of one of gRPC-Web.
func toGRPC(r *http.Request) {
	kind := r.Header.Get("Content-Type")
	web := grpcWebType
	if strings.HasPrefix(kind, grpcWebTextType) {
		web = grpcWebTextType
		r.Body = decoded{base64.NewDecoder(base64.StdEncoding, r.Body), r.Body}
		r.ContentLength = -1
		delete(r.Header, "Content-Length")
	}
	r.Header.Set("Content-Type", grpcType+strings.TrimPrefix(kind, web))
	r.Header.Set("Te", "trailers") // gRPC asks for it
}

// decoded is a body that is decoded as it is read.
type decoded struct {
	io.Reader
	io.Closer
}

// grpcWebWriter makes an answer of gRPC-Web of one of gRPC: what comes as a trailer becomes the last part of the body.
type grpcWebWriter struct {
	http.ResponseWriter
	origin  string // that may see the answer; "": none
	web     string // the media type in place of gRPC's
	text    bool
	header  http.Header // the service's answer; trailers are put here after the head is sent
	sent    http.Header // nil: the head is not sent yet
	asIs    bool        // it is no answer of gRPC
	pending []byte      // up to two bytes that are no whole group of base64
}

func newGRPCWebWriter(w http.ResponseWriter, r *http.Request, allowed bool) *grpcWebWriter {
	gw := &grpcWebWriter{ResponseWriter: w, web: grpcWebType, header: http.Header{}}
	if strings.HasPrefix(r.Header.Get("Content-Type"), grpcWebTextType) {
		gw.web, gw.text = grpcWebTextType, true
	}
	if allowed {
		gw.origin = r.Header.Get("Origin")
	}
	return gw
}

// Header is that of the service's answer.
func (w *grpcWebWriter) Header() http.Header { return w.header }

// WriteHeader sends the head, and tells the browser that the page may see all of it.
func (w *grpcWebWriter) WriteHeader(status int) {
	if !isFinal(status) || w.sent != nil {
		return // browsers have no use for what is informational
	}
	h := w.ResponseWriter.Header()
	w.sent = http.Header{}
	for name, values := range w.header {
		if name != "Trailer" && !strings.HasPrefix(name, http.TrailerPrefix) {
			h[name], w.sent[name] = values, values
		}
	}
	if kind := h.Get("Content-Type"); strings.HasPrefix(kind, grpcType) {
		h.Set("Content-Type", w.web+strings.TrimPrefix(kind, grpcType))
		delete(h, "Content-Length")
	} else {
		w.asIs = true
	}
	addVary(h, "Origin")
	if w.origin != "" {
		names := []string{"grpc-status", "grpc-message"}
		for name := range w.sent {
			names = append(names, name)
		}
		slices.Sort(names)
		h.Set("Access-Control-Allow-Origin", w.origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Expose-Headers", strings.Join(names, ", "))
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *grpcWebWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK) // unless it is sent
	if !w.text || w.asIs {
		return w.ResponseWriter.Write(p)
	}
	w.pending = append(w.pending, p...)
	whole := len(w.pending) - len(w.pending)%3
	out := base64.StdEncoding.EncodeToString(w.pending[:whole])
	w.pending = append(w.pending[:0], w.pending[whole:]...)
	if _, err := io.WriteString(w.ResponseWriter, out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush is for those who do not use http.ResponseController.
func (w *grpcWebWriter) Flush() { _ = w.FlushError() }

// FlushError sends what came so far. Padding may stand in the middle of an answer.
func (w *grpcWebWriter) FlushError() error {
	w.WriteHeader(http.StatusOK)
	if len(w.pending) > 0 {
		if _, err := io.WriteString(w.ResponseWriter, base64.StdEncoding.EncodeToString(w.pending)); err != nil {
			return err
		}
		w.pending = w.pending[:0]
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap gives http.ResponseController the rest.
func (w *grpcWebWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// trailersFrame marks the last part of a body.
const trailersFrame = 1 << 7

// finish sends the trailers as the last part of the body. Where the status stands in the head, there are none.
func (w *grpcWebWriter) finish() {
	w.WriteHeader(http.StatusOK)
	if w.asIs || w.sent["Grpc-Status"] != nil {
		return
	}
	trailers := http.Header{}
	for name, values := range w.header {
		if _, sent := w.sent[name]; !sent && name != "Trailer" {
			trailers[strings.ToLower(strings.TrimPrefix(name, http.TrailerPrefix))] = values
		}
	}
	var text bytes.Buffer
	_ = trailers.Write(&text) // in memory
	frame := binary.BigEndian.AppendUint32([]byte{trailersFrame}, uint32(text.Len()))
	_, _ = w.Write(append(frame, text.Bytes()...))
	_ = w.FlushError() // the client may be gone
}
