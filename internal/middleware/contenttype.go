package middleware

import (
	"net/http"

	"github.com/fairlead/fairlead/internal/model"
)

// newContentType tells the client the media type of an answer whose service does not, by the first bytes of its body.
func newContentType(*Set, place, *model.ContentType) (Func, error) {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			tw := &typeWriter{ResponseWriter: w}
			next.ServeHTTP(tw, r)
			tw.release()
		})
	}, nil
}

// typeWriter holds the head of an answer without a type back until the first bytes of its body come.
type typeWriter struct {
	http.ResponseWriter
	held    int // the status of the head that is held back; 0: none is
	decided bool
}

// WriteHeader leaves answers without a body, and encoded ones, as they are: their bytes say nothing.
func (w *typeWriter) WriteHeader(status int) {
	if isFinal(status) && !w.decided {
		w.decided = true
		if w.isUntyped() && status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified {
			w.held = status
			return
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *typeWriter) isUntyped() bool {
	h := w.Header()
	_, typed := h["Content-Type"]
	return !typed && h.Get("Content-Encoding") == ""
}

func (w *typeWriter) Write(p []byte) (int, error) {
	if !w.decided {
		w.WriteHeader(http.StatusOK)
	}
	if w.held != 0 && len(p) > 0 {
		w.Header().Set("Content-Type", http.DetectContentType(p))
		w.release()
	}
	return w.ResponseWriter.Write(p)
}

// release sends the head that is held back.
func (w *typeWriter) release() {
	if status := w.held; status != 0 {
		w.held = 0
		w.ResponseWriter.WriteHeader(status)
	}
}

// Flush is for those who do not use http.ResponseController.
func (w *typeWriter) Flush() { _ = w.FlushError() }

// FlushError sends the head without a type if nothing of the body has come: who flushes does not want to wait.
func (w *typeWriter) FlushError() error {
	w.decided = true
	w.release()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap gives http.ResponseController the rest.
func (w *typeWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
