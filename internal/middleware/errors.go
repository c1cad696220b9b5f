package middleware

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// errorPages is the definition, checked.
type errorPages struct {
	*model.Errors
	service http.Handler // nil: there is none, so answers stay as they are
}

// newErrors sends the client a page of another service in place of answers with some status. It reports false for nil.
func newErrors(service http.Handler, spec *model.Errors) (Func, bool, error) {
	if spec == nil {
		return nil, false, nil
	}
	for _, r := range spec.Rewrites {
		if !model.IsAnswer(r.As) {
			return nil, true, fieldError("errors.statusRewrites", "%d is not the status of an answer", r.As)
		}
	}
	return (&errorPages{spec, service}).wrap, true, nil
}

func (p *errorPages) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := addressOf(r) // before those behind change it
		ew := &errorWriter{ResponseWriter: w, pages: p, before: w.Header().Clone()}
		next.ServeHTTP(ew, r)
		if ew.caught != 0 {
			p.send(w, r, ew.caught, asked)
		}
	})
}

func (p *errorPages) catches(status int) bool {
	return p.service != nil && slices.ContainsFunc(p.Status, func(r model.StatusRange) bool { return r.Has(status) })
}

// rewritten returns the status that the client gets.
func (p *errorPages) rewritten(status int) int {
	for _, r := range p.Rewrites {
		if r.Has(status) {
			return r.As
		}
	}
	return status
}

// send answers with the page. Its status is that of the error, whatever the page's own.
func (p *errorPages) send(w http.ResponseWriter, r *http.Request, status int, asked string) {
	location, err := url.ParseRequestURI(p.page(status, asked))
	if err != nil {
		http.Error(w, http.StatusText(p.rewritten(status)), p.rewritten(status))
		return
	}
	page := r.WithContext(r.Context()) // a copy
	page.Method, page.URL, page.RequestURI = http.MethodGet, location, location.RequestURI()
	page.Body, page.ContentLength, page.TransferEncoding, page.Trailer = http.NoBody, 0, nil, nil
	page.Header = maps.Clone(r.Header)
	for _, name := range []string{
		"Content-Length", "Content-Type", "Content-Encoding", "Expect", // of the body that is not sent
		"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", // of another page
	} {
		delete(page.Header, name)
	}
	p.service.ServeHTTP(&pageWriter{w, p.rewritten(status), r.Method == http.MethodHead}, page)
}

// page returns the path and query of the page.
func (p *errorPages) page(status int, asked string) string {
	return "/" + strings.TrimPrefix(strings.NewReplacer(
		"{status}", strconv.Itoa(p.rewritten(status)),
		"{originalStatus}", strconv.Itoa(status),
		"{url}", url.QueryEscape(asked),
	).Replace(p.Query), "/")
}

// errorWriter catches answers that another page is sent for.
type errorWriter struct {
	http.ResponseWriter
	pages  *errorPages
	before http.Header // what was there before the service's answer
	caught int         // the status that another page is sent for; 0: none
	passed bool
}

// WriteHeader drops the fields of an answer that is caught.
func (w *errorWriter) WriteHeader(status int) {
	switch {
	case !isFinal(status) || w.passed || w.caught != 0:
		if w.caught == 0 {
			w.ResponseWriter.WriteHeader(status)
		}
	case w.pages.catches(status):
		w.caught = status
		h := w.Header()
		clear(h)
		maps.Copy(h, w.before)
	default:
		w.passed = true
		w.ResponseWriter.WriteHeader(w.pages.rewritten(status))
	}
}

func (w *errorWriter) Write(p []byte) (int, error) {
	if !w.passed && w.caught == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.caught != 0 {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom lets the writer below copy in its own way.
func (w *errorWriter) ReadFrom(r io.Reader) (int64, error) {
	if w.passed {
		return io.Copy(w.ResponseWriter, r)
	}
	return io.Copy(struct{ io.Writer }{w}, r)
}

// Flush is for those who do not use http.ResponseController.
func (w *errorWriter) Flush() { _ = w.FlushError() }

// FlushError sends what was written so far.
func (w *errorWriter) FlushError() error {
	if !w.passed && w.caught == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.caught != 0 {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap gives http.ResponseController the rest.
func (w *errorWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// pageWriter gives the page the status of the error.
type pageWriter struct {
	http.ResponseWriter
	status int
	head   bool // the client does not want the body
}

// WriteHeader sends the error's status in place of the page's.
func (w *pageWriter) WriteHeader(status int) {
	if status >= 200 {
		status = w.status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *pageWriter) Write(p []byte) (int, error) {
	if w.head {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap gives http.ResponseController the rest.
func (w *pageWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
