package middleware

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"golang.org/x/net/http/httpguts"
)

// Features of the ABI.
const (
	bufferRequest  = 1 // always so
	bufferResponse = 2 // the answer may still be changed by handle_response
)

// wasmCall is one request in a plug-in, and what the plug-in makes of it.
type wasmCall struct {
	*wasm
	w        http.ResponseWriter
	r        *http.Request
	features uint32
	header   http.Header // of the answer, until it is sent
	status   int
	body     []byte  // of the answer
	asked    []byte  // the request's body, if it was read; nil: it was not
	read     [2]int  // how much of the bodies the plug-in has read
	wrote    [2]bool // whether it has written them
	passedOn bool    // the request is
	sent     bool    // the answer is
}

type wasmKey struct{}

// send sends the answer that was kept.
func (c *wasmCall) send() {
	c.sent = true
	h := c.w.Header()
	maps.Copy(h, c.header)
	h["Content-Length"] = []string{strconv.Itoa(len(c.body))}
	c.w.WriteHeader(cmp.Or(c.status, http.StatusOK))
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(c.body)
	}
}

// wasmWriter keeps an answer for the plug-in. One that is too long is passed on as it is.
type wasmWriter struct {
	http.ResponseWriter
	call *wasmCall
}

// Header is that of the answer.
func (w *wasmWriter) Header() http.Header {
	if w.call.sent {
		return w.ResponseWriter.Header()
	}
	return w.call.header
}

// WriteHeader keeps the status.
func (w *wasmWriter) WriteHeader(status int) {
	switch {
	case status == http.StatusSwitchingProtocols:
		w.pass(status)
	case isFinal(status) && w.call.status == 0:
		w.call.status = status
	}
}

func (w *wasmWriter) pass(status int) {
	w.call.sent = true
	maps.Copy(w.ResponseWriter.Header(), w.call.header)
	w.ResponseWriter.WriteHeader(status)
}

func (w *wasmWriter) Write(p []byte) (int, error) {
	c := w.call
	if !c.sent && len(c.body)+len(p) <= maxWASMBody {
		c.body = append(c.body, p...)
		return len(p), nil
	}
	if !c.sent {
		w.WriteHeader(http.StatusOK)
		w.pass(c.status)
		if _, err := w.ResponseWriter.Write(c.body); err != nil {
			return 0, err
		}
		c.body = nil
	}
	return w.ResponseWriter.Write(p)
}

// FlushError does nothing: the answer is sent when it is whole.
func (w *wasmWriter) FlushError() error { return nil }

// Hijack hands over the connection.
func (w *wasmWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Unwrap gives http.ResponseController the rest.
func (w *wasmWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// exportHost gives plug-ins the functions of the handler ABI.
func exportHost(ctx context.Context, r wazero.Runtime) error {
	give := func(value func(*wasmCall) string) any {
		return func(ctx context.Context, m api.Module, buf, most uint32) uint32 {
			return put(m, value(callOf(ctx)), buf, most)
		}
	}
	b := r.NewHostModuleBuilder("http_handler")
	for name, f := range map[string]any{
		"enable_features": func(ctx context.Context, want uint32) uint32 {
			c := callOf(ctx)
			c.features |= want & (bufferRequest | bufferResponse) // trailers are not given
			return c.features
		},
		"get_config":           give(func(c *wasmCall) string { return c.config }),
		"get_method":           give(func(c *wasmCall) string { return c.r.Method }),
		"get_uri":              give(func(c *wasmCall) string { return c.r.URL.RequestURI() }),
		"get_protocol_version": give(func(c *wasmCall) string { return c.r.Proto }),
		"get_source_addr":      give(func(c *wasmCall) string { return c.r.RemoteAddr }),
		"set_method": func(ctx context.Context, m api.Module, at, n uint32) {
			callOf(ctx).setMethod(text(m, at, n))
		},
		"set_uri": func(ctx context.Context, m api.Module, at, n uint32) { callOf(ctx).setURI(text(m, at, n)) },
		"get_status_code": func(ctx context.Context) uint32 {
			return uint32(cmp.Or(callOf(ctx).status, http.StatusOK))
		},
		"set_status_code":   func(ctx context.Context, status uint32) { callOf(ctx).setStatus(int(status)) },
		"log":               hostLog,
		"log_enabled":       func(level int32) uint32 { return map[bool]uint32{true: 1}[level >= 0 && level < 3] },
		"get_header_names":  hostNames,
		"get_header_values": hostValues,
		"set_header_value": func(ctx context.Context, m api.Module, kind, name, nameLen, value, valueLen uint32) {
			h, key := callOf(ctx).change(kind, text(m, name, nameLen))
			h[key] = []string{wasmValue(text(m, value, valueLen))}
		},
		"add_header_value": func(ctx context.Context, m api.Module, kind, name, nameLen, value, valueLen uint32) {
			h, key := callOf(ctx).change(kind, text(m, name, nameLen))
			h[key] = append(h[key], wasmValue(text(m, value, valueLen)))
		},
		"remove_header": func(ctx context.Context, m api.Module, kind, name, nameLen uint32) {
			h, key := callOf(ctx).change(kind, text(m, name, nameLen))
			delete(h, key)
		},
		"read_body":  hostReadBody,
		"write_body": hostWriteBody,
	} {
		b = b.NewFunctionBuilder().WithFunc(f).Export(name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

// What a plug-in does wrong ends its call: wazero makes an error of a panic.

func callOf(ctx context.Context) *wasmCall { return ctx.Value(wasmKey{}).(*wasmCall) }

// text reads from the plug-in's memory. It may ask for no more than that is.
func text(m api.Module, at, n uint32) string {
	b, ok := m.Memory().Read(at, n)
	if !ok {
		panic(errors.New("it names memory that it does not have"))
	}
	return string(b)
}

// put writes a value, if there is room for it, and returns its length.
func put(m api.Module, value string, buf, most uint32) uint32 {
	if uint32(len(value)) <= most && value != "" && !m.Memory().WriteString(buf, value) {
		panic(errors.New("it names memory that it does not have"))
	}
	return uint32(len(value))
}

// putAll writes values, each ended by a zero byte, and returns how many, and their length.
func putAll(m api.Module, values []string, buf, most uint32) uint64 {
	var all strings.Builder
	for _, v := range values {
		all.WriteString(v)
		all.WriteByte(0)
	}
	return uint64(len(values))<<32 | uint64(put(m, all.String(), buf, most))
}

// The kinds of fields and bodies. Of trailers there are none.
const (
	ofRequest  = 0
	ofResponse = 1
)

func (c *wasmCall) fields(kind uint32) http.Header {
	switch kind {
	case ofRequest:
		return c.r.Header
	case ofResponse:
		if c.sent {
			return c.w.Header()
		}
		return c.header
	}
	return http.Header{}
}

// change returns the fields of a kind, if they may still be changed, and the name of one.
func (c *wasmCall) change(kind uint32, name string) (http.Header, string) {
	key, err := fieldName("a field", name)
	if err != nil {
		panic(err)
	}
	c.mustBeOpen(kind)
	return c.fields(kind), key
}

// mustBeOpen refuses to change what has been sent.
func (c *wasmCall) mustBeOpen(kind uint32) {
	if kind == ofRequest && c.passedOn || kind == ofResponse && c.sent {
		panic(errors.New("it changes what was sent already; let it enable the feature to buffer answers"))
	}
}

func wasmValue(value string) string {
	if !httpguts.ValidHeaderFieldValue(value) {
		panic(errors.New("a value holds a character that a field cannot have"))
	}
	return value
}

func (c *wasmCall) setMethod(method string) {
	c.mustBeOpen(ofRequest)
	if !httpguts.ValidHeaderFieldName(method) {
		panic(errors.New("a method is no token"))
	}
	c.r.Method = method
}

func (c *wasmCall) setURI(uri string) {
	c.mustBeOpen(ofRequest)
	u, err := url.ParseRequestURI(uri)
	if err != nil || u.Host != "" || !strings.HasPrefix(u.Path, "/") {
		panic(errors.New("a URI is no path with a query"))
	}
	c.r.URL.Path, c.r.URL.RawPath, c.r.URL.RawQuery = u.Path, u.RawPath, u.RawQuery
	c.r.RequestURI = c.r.URL.RequestURI()
}

func (c *wasmCall) setStatus(status int) {
	c.mustBeOpen(ofResponse)
	if status < 200 || status > 599 {
		panic(errors.New("a status is none of an answer"))
	}
	c.status = status
}

func hostLog(ctx context.Context, m api.Module, level int32, at, n uint32) {
	const most = 1 << 10
	c := callOf(ctx)
	c.log.Log(ctx, slog.Level(4*level), "a plug-in says", "middleware", c.of.String(), "text", text(m, at, min(n, most)))
}

func hostNames(ctx context.Context, m api.Module, kind, buf, most uint32) uint64 {
	return putAll(m, slices.Sorted(maps.Keys(callOf(ctx).fields(kind))), buf, most)
}

func hostValues(ctx context.Context, m api.Module, kind, name, nameLen, buf, most uint32) uint64 {
	c, key := callOf(ctx), http.CanonicalHeaderKey(text(m, name, nameLen))
	if kind == ofRequest && key == "Host" {
		return putAll(m, []string{c.r.Host}, buf, most)
	}
	return putAll(m, c.fields(kind)[key], buf, most)
}

// hostReadBody gives the next piece of a body. The request's is read whole first, up to a limit.
func hostReadBody(ctx context.Context, m api.Module, kind, buf, most uint32) uint64 {
	c := callOf(ctx)
	body := c.body
	if kind == ofRequest {
		if c.asked == nil {
			read, status := readBody(c.r, maxWASMBody)
			if status != 0 {
				panic(errors.New("the request's body cannot be read, or is too long for a plug-in"))
			}
			c.asked = append([]byte{}, read...)
		}
		body = c.asked
	}
	if kind > ofResponse {
		return 1 << 32
	}
	rest := body[min(c.read[kind], len(body)):]
	n := min(len(rest), int(most))
	c.read[kind] += n
	if n > 0 && !m.Memory().Write(buf, rest[:n]) {
		panic(errors.New("it names memory that it does not have"))
	}
	end := uint64(0)
	if n == len(rest) {
		end = 1
	}
	return end<<32 | uint64(n)
}

// hostWriteBody replaces a body by the first piece, and adds the others to it.
func hostWriteBody(ctx context.Context, m api.Module, kind, at, n uint32) {
	c := callOf(ctx)
	c.mustBeOpen(kind)
	if kind > ofResponse {
		return
	}
	piece := text(m, at, n)
	body := &c.body
	if kind == ofRequest {
		body = &c.asked
	}
	if !c.wrote[kind] {
		c.wrote[kind], *body = true, nil
	}
	if len(*body)+len(piece) > maxWASMBody {
		panic(errors.New("a body is too long for a plug-in"))
	}
	*body = append(*body, piece...)
	if kind == ofRequest {
		c.r.Body = io.NopCloser(bytes.NewReader(c.asked))
		c.r.ContentLength, c.r.TransferEncoding = int64(len(c.asked)), nil
	} else {
		delete(c.header, "Content-Length")
	}
}
