package middleware

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

func TestContentType(t *testing.T) {
	const page = "<!DOCTYPE html><title>a</title>"
	cases := map[string]struct {
		service http.HandlerFunc
		status  int
		want    string
	}{
		"detected": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, page)
		}, 404, "text/html; charset=utf-8"},
		"without a status": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, page)
		}, 200, "text/html; charset=utf-8"},
		"told by the service": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "a/b")
			_, _ = io.WriteString(w, page)
		}, 200, "a/b"},
		"the service wants none": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			_, _ = io.WriteString(w, page)
		}, 200, ""},
		"encoded": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(200)
			_, _ = io.WriteString(w, page)
		}, 200, ""},
		"no body": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, 204, ""},
		"empty":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) }, 201, ""},
		"flushed first": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(202)
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, page)
		}, 202, ""},
		"early hints": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(200)
			_, _ = io.WriteString(w, page)
		}, 200, "text/html; charset=utf-8"},
	}
	f := build(t, NewSet(Options{}), model.Middleware{ContentType: &model.ContentType{}})
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := &plainWriter{header: http.Header{}}
			f(c.service).ServeHTTP(w, request("/"))
			if got := w.sent.Get("Content-Type"); got != c.want || w.status != c.status {
				t.Errorf("got %d %q, want %d %q", w.status, got, c.status, c.want)
			}
		})
	}
}

// plainWriter keeps what is sent, and adds nothing of its own.
type plainWriter struct {
	header, sent http.Header
	status       int
	body         []byte
}

func (w *plainWriter) Header() http.Header { return w.header }

func (w *plainWriter) WriteHeader(status int) {
	if isFinal(status) && w.status == 0 {
		w.status, w.sent = status, w.header.Clone()
	}
}

func (w *plainWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body = append(w.body, p...)
	return len(p), nil
}

func (w *plainWriter) Flush() { w.WriteHeader(http.StatusOK) }

func TestContentTypeOverTheWire(t *testing.T) {
	f := build(t, NewSet(Options{}), model.Middleware{ContentType: &model.ContentType{}})
	srv := httptest.NewServer(f(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "7")
		_, _ = io.WriteString(w, "%PDF-1.")
	})))
	defer srv.Close()
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		r, _ := http.NewRequest(method, srv.URL, nil)
		resp, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.ContentLength != 7 {
			t.Errorf("%s: length %d, %v", method, resp.ContentLength, err)
		}
		if got := resp.Header.Get("Content-Type"); method == http.MethodGet && got != "application/pdf" {
			t.Errorf("%s: type %q", method, got)
		}
	}
}
