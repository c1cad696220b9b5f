package wire

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// writeFields writes the header's fields that keep allows: those that came from a service in its order and spelling,
// others in the order of their names.
func (w *response) writeFields(keep func(key string) bool) {
	if w.like != nil {
		for f, value := range InOrder(w.like, w.header) {
			if keep(f.Key) {
				w.writeField(f.Name, value)
			}
		}
	}
	w.names = w.names[:0]
	for key := range w.header {
		if keep(key) && isName(key) && (w.like == nil || !Has(w.like, key)) {
			w.names = append(w.names, key)
		}
	}
	slices.Sort(w.names)
	for _, key := range w.names {
		for _, value := range w.header[key] {
			w.writeField(key, value)
		}
	}
}

// isName reports whether a handler's field may be sent under that name.
func isName(s string) bool {
	for i := range len(s) {
		if !isToken(s[i]) {
			return false
		}
	}
	return s != ""
}

// writeField writes a field line. A line end in a value becomes a space, so that nobody can make two fields of one.
func (w *response) writeField(key, value string) {
	for i := range len(value) {
		if breaksLine(rune(value[i])) {
			value = strings.Map(oneLine, value)
			break
		}
	}
	out := &w.exchange.conn.out
	_, _ = out.WriteString(key)
	_, _ = out.WriteString(": ")
	_, _ = out.WriteString(trim(value))
	_, _ = out.WriteString("\r\n")
}

func breaksLine(r rune) bool { return r == '\r' || r == '\n' || r == 0 }

func oneLine(r rune) rune {
	if breaksLine(r) {
		return ' '
	}
	return r
}

// commit completes the head: p is the first of the body, and all of it if the handler has returned. The rules are
// net/http's.
func (w *response) commit(p []byte) {
	w.committed = true
	h := &w.exchange.head
	isHead, allowed := h.method == http.MethodHead, bodyAllowed(w.status)
	measured := false
	if w.done && !w.trailing && w.coding == "" && allowed && !w.declared && (!isHead || len(p) > 0) {
		w.length, measured = int64(len(p)), true
	}
	connection := w.decideConnection(isHead || w.length >= 0 || !allowed)
	switch {
	case isHead, !allowed, w.length >= 0:
	case h.minor >= 1 && w.coding != "identity":
		w.chunked = true
	default: // the end of the connection ends the body
		w.closing = true
		if h.minor >= 1 && connection == "" {
			connection = "close"
		}
	}
	if w.closing && connection == "keep-alive" {
		connection = ""
	}
	if !w.dated {
		w.writeField("Date", w.exchange.conn.server.clock.Date(time.Now()))
	}
	if measured {
		w.writeLength()
	}
	if allowed && !w.encoded && !w.typed && w.coding == "" && len(p) > 0 {
		w.writeField("Content-Type", http.DetectContentType(p))
	}
	w.writeConnection(connection)
	if w.chunked {
		w.writeField("Transfer-Encoding", "chunked")
	}
	_, _ = w.exchange.conn.out.WriteString("\r\n")
}

func (w *response) writeLength() {
	out := &w.exchange.conn.out
	_, _ = out.WriteString("Content-Length: ")
	_ = out.writeNumber(w.length, 10)
	_, _ = out.WriteString("\r\n")
}

// decideConnection finds out whether the connection stays open, and returns what is to be said about it. delimited: the
// client sees the end of the body without the end of the connection.
func (w *response) decideConnection(delimited bool) string {
	h, c := &w.exchange.head, w.exchange.conn
	connection := ""
	switch {
	case h.minor == 0 && h.keepAlive && delimited:
		if w.connection == nil {
			connection = "keep-alive"
		}
	case h.minor == 0 || !h.keepAlive:
		w.closing = true
	}
	if first(w.connection) == "close" || c.server.closing.Load() {
		w.closing = true
	}
	switch {
	case w.closing || w.exchange.context.quiet.Load(): // all of the request was read
	case w.exchange.expectsContinue(): // who knows whether the body comes
		w.closing = true
	case w.duplex:
	case w.exchange.body.drain() != nil:
		w.closing = true
	}
	if w.closing && h.minor >= 1 && w.status != http.StatusSwitchingProtocols {
		return "close"
	}
	return connection
}

// writeConnection writes ours, or the handler's if we have nothing to say or it says the same.
func (w *response) writeConnection(ours string) {
	own := w.connection
	switch {
	case w.status == http.StatusSwitchingProtocols, ours == "" && !w.closing:
	case ours == "close" && hasToken(first(own), "close"):
	case ours == "" && w.closing:
		own = slices.DeleteFunc(slices.Clone(own), func(value string) bool { return !hasToken(value, "close") })
	default:
		own = nil
	}
	for _, value := range own {
		w.writeField("Connection", value)
	}
	if own == nil && ours != "" {
		w.writeField("Connection", ours)
	}
}

// trailer returns the fields that the handler set for after the body: those it declared, and those with the prefix.
func (w *response) trailer() http.Header {
	if !w.trailing {
		var any bool
		for key := range w.header {
			any = any || strings.HasPrefix(key, http.TrailerPrefix)
		}
		if !any {
			return nil
		}
	}
	trailer := make(http.Header)
	for key, values := range w.header {
		if name, found := strings.CutPrefix(key, http.TrailerPrefix); found && MayTrail(http.CanonicalHeaderKey(name)) {
			trailer[name] = values
		}
	}
	for _, key := range w.trailers {
		for _, value := range w.header[key] {
			trailer.Add(key, value)
		}
	}
	return trailer
}
