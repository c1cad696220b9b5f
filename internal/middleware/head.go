package middleware

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// headEditor changes the fields of an answer just before they are sent, when those of the service are known.
type headEditor interface {
	editHead(h http.Header, status int)
}

// headWriter calls its editor once, before the head of the final answer is sent.
type headWriter struct {
	http.ResponseWriter
	editor headEditor
	edited bool
}

// finish is to be called when the handler has returned: an answer without a body is written only then.
func (w *headWriter) finish() { w.edit(http.StatusOK) }

func (w *headWriter) edit(status int) {
	if !w.edited {
		w.edited = true
		w.editor.editHead(w.Header(), status)
	}
}

// WriteHeader leaves informational answers as they are, apart from 101, which is the last.
func (w *headWriter) WriteHeader(status int) {
	if isFinal(status) {
		w.edit(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

// isFinal is false for the heads that may precede the one of the answer (RFC 9110 §15.2).
func isFinal(status int) bool { return status >= 200 || status == http.StatusSwitchingProtocols }

func (w *headWriter) Write(p []byte) (int, error) {
	w.edit(http.StatusOK)
	return w.ResponseWriter.Write(p)
}

// ReadFrom lets the writer below copy in its own way, in the kernel if it can.
func (w *headWriter) ReadFrom(r io.Reader) (int64, error) {
	w.edit(http.StatusOK)
	return io.Copy(w.ResponseWriter, r)
}

// Flush is for those who do not use http.ResponseController.
func (w *headWriter) Flush() { _ = w.FlushError() }

// FlushError sends what was written so far.
func (w *headWriter) FlushError() error {
	w.edit(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack hands over the connection; whoever takes it writes Header() himself.
func (w *headWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.edit(http.StatusSwitchingProtocols)
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Unwrap gives http.ResponseController the rest: deadlines, full duplex.
func (w *headWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
