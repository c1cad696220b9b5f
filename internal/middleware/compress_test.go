package middleware

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/fairlead/fairlead/internal/model"
)

func TestNegotiate(t *testing.T) {
	cases := map[string]struct {
		lines    []string
		fallback string
		want     string
	}{
		"no field":               {nil, "", ""},
		"no field, a default":    {nil, "br", "br"},
		"empty":                  {[]string{""}, "br", ""},
		"one":                    {[]string{"zstd"}, "", "zstd"},
		"the owner's order":      {[]string{"zstd, br, gzip"}, "", "gzip"},
		"the client's order":     {[]string{"gzip;q=0.5, br;q=0.8, zstd; Q=0.7"}, "", "br"},
		"several lines":          {[]string{"deflate", "br"}, "", "br"},
		"refused":                {[]string{"gzip;q=0, br; q=0.000, zstd;q=0.001"}, "", "zstd"},
		"all refused":            {[]string{"*;q=0"}, "br", ""},
		"any":                    {[]string{"*"}, "", "gzip"},
		"any, a default":         {[]string{"*"}, "zstd", "zstd"},
		"any but":                {[]string{"gzip;q=0, *"}, "", "br"},
		"any, less than one":     {[]string{"br;q=0.2, *;q=0.1"}, "zstd", "br"},
		"identity is liked more": {[]string{"identity, gzip;q=0.5"}, "", ""},
		"identity is liked less": {[]string{"identity;q=0.5, gzip"}, "", "gzip"},
		"old name":               {[]string{"X-GZIP"}, "", "gzip"},
		"not known":              {[]string{"deflate, compress"}, "", ""},
		"no quality":             {[]string{"gzip;q=x, br;q=2, zstd;level=3"}, "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := negotiate(c.lines, []string{"gzip", "br", "zstd"}, c.fallback); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzNegotiate(f *testing.F) {
	f.Add("gzip;q=0.5, *;q=0")
	f.Fuzz(func(t *testing.T, line string) {
		got := negotiate([]string{line}, []string{"gzip", "br", "zstd"}, "br")
		if q, ok := acceptedCodings([]string{line})[got]; ok && q == 0 {
			t.Errorf("%q gets %q", line, got)
		}
	})
}

// decode returns what a client sees of an encoded body.
func decode(t *testing.T, encoding string, body []byte) string {
	t.Helper()
	var r io.Reader = bytes.NewReader(body)
	var err error
	switch encoding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "br":
		r = brotli.NewReader(r)
	case "zstd":
		r, err = zstd.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("decoding %s: %v", encoding, err)
	}
	return string(text)
}

const page = "text/html; charset=utf-8"

// fieldsOf returns a header of "Name: value".
func fieldsOf(lines ...string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

// inParts is a service that writes its answer bit by bit.
func inParts(status int, fields http.Header, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), fields)
		w.WriteHeader(status)
		for part := range strings.SplitAfterSeq(body, "</p>") {
			_, _ = io.WriteString(w, part)
		}
	})
}

func TestCompressDecides(t *testing.T) {
	large := strings.Repeat("<p>fairlead</p>", 200)
	vary := []string{"Accept-Encoding"}
	type answer struct {
		encoding string
		vary     []string
	}
	cases := map[string]struct {
		spec    model.Compress
		accept  string // "-": none
		status  int
		service []string // its fields
		body    string
		want    answer
	}{
		"gzip":            {model.Compress{}, "gzip", 200, []string{"Content-Type: " + page}, large, answer{"gzip", vary}},
		"br":              {model.Compress{}, "br", 200, []string{"Content-Type: " + page}, large, answer{"br", vary}},
		"zstd":            {model.Compress{}, "zstd", 404, []string{"Content-Type: " + page}, large, answer{"zstd", vary}},
		"no type":         {model.Compress{}, "gzip", 200, nil, large, answer{"gzip", vary}},
		"nothing is said": {model.Compress{}, "-", 200, []string{"Content-Type: " + page}, large, answer{"", vary}},
		"a default": {
			model.Compress{DefaultEncoding: "br"}, "-", 200, []string{"Content-Type: " + page}, large, answer{"br", vary},
		},
		"small": {
			model.Compress{}, "gzip", 200, []string{"Content-Type: " + page}, large[:1023], answer{"", vary},
		},
		"just enough": {
			model.Compress{}, "gzip", 200, []string{"Content-Type: " + page}, large[:1024], answer{"gzip", vary},
		},
		"small, and known": {model.Compress{}, "gzip", 200, []string{"Content-Length: 2"}, "ab", answer{"", nil}},
		"enough for some": {
			model.Compress{MinBytes: 2}, "gzip", 200, []string{"Content-Type: " + page}, "ab", answer{"gzip", vary},
		},
		"empty":           {model.Compress{}, "gzip", 200, nil, "", answer{"", vary}},
		"encoded already": {model.Compress{}, "gzip", 200, []string{"Content-Encoding: br"}, large, answer{"br", nil}},
		"no body":         {model.Compress{}, "gzip", 204, nil, "", answer{"", nil}},
		"not modified":    {model.Compress{}, "gzip", 304, nil, "", answer{"", nil}},
		"a range":         {model.Compress{}, "gzip", 206, []string{"Content-Range: bytes 0-1/9"}, large, answer{"", nil}},
		"no-transform": {
			model.Compress{}, "gzip", 200, []string{"Cache-Control: public, no-transform"}, large, answer{"", nil},
		},
		"gRPC":   {model.Compress{}, "gzip", 200, []string{"Content-Type: application/grpc"}, large, answer{"", nil}},
		"events": {model.Compress{}, "gzip", 200, []string{"Content-Type: text/event-stream"}, large, answer{"", nil}},
		"events that are asked for": {
			model.Compress{Included: []string{"text/event-stream"}}, "gzip", 200,
			[]string{"Content-Type: text/event-stream"}, large, answer{"gzip", vary},
		},
		"excluded": {
			model.Compress{Excluded: []string{"Text/HTML"}}, "gzip", 200, []string{"Content-Type: " + page}, large,
			answer{"", nil},
		},
		"excluded by its bytes": {
			model.Compress{Excluded: []string{"text/html"}}, "gzip", 200, nil, large, answer{"", vary},
		},
		"included": {
			model.Compress{Included: []string{"text/html ; x=y"}}, "gzip", 200, []string{"Content-Type: " + page}, large,
			answer{"gzip", vary},
		},
		"not included": {
			model.Compress{Included: []string{"text/css"}}, "gzip", 200, []string{"Content-Type: " + page}, large,
			answer{"", nil},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := request("/")
			if c.accept != "-" {
				r.Header.Set("Accept-Encoding", c.accept)
			}
			w := &plainWriter{header: http.Header{}}
			service := inParts(c.status, fieldsOf(c.service...), c.body)
			build(t, NewSet(Options{}), model.Middleware{Compress: &c.spec})(service).ServeHTTP(w, r)
			got := answer{w.sent.Get("Content-Encoding"), w.sent["Vary"]}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(answer{})); diff != "" || w.status != c.status {
				t.Fatalf("status %d (-want +got):\n%s", w.status, diff)
			}
			encoding := c.want.encoding
			if name == "encoded already" {
				encoding = ""
			}
			if body := decode(t, encoding, w.body); body != c.body {
				t.Errorf("the body is %d bytes, want %d", len(body), len(c.body))
			}
		})
	}
}

// What is said of the bytes as they were must go.
func TestCompressFields(t *testing.T) {
	h := build(t, NewSet(Options{}), model.Middleware{Compress: &model.Compress{}})(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for k, v := range fieldsOf(`Etag: "a"`, "Accept-Ranges: bytes", "Content-Length: 2000", "Vary: Origin") {
				w.Header()[k] = v
			}
			_, _ = io.WriteString(w, strings.Repeat("ab", 1000))
		}))
	w := &plainWriter{header: http.Header{}}
	h.ServeHTTP(w, request("/", "Accept-Encoding: gzip"))
	want := fieldsOf(`Etag: W/"a"`, "Content-Encoding: gzip", "Content-Type: text/plain; charset=utf-8", "Vary: Origin",
		"Vary: Accept-Encoding")
	if diff := cmp.Diff(want, w.sent); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}

	head := request("/", "Accept-Encoding: gzip")
	head.Method = http.MethodHead
	w = &plainWriter{header: http.Header{}}
	h.ServeHTTP(w, head)
	if w.sent.Get("Content-Encoding") != "" || w.sent.Get("Content-Length") != "2000" || w.sent.Get("Etag") != `"a"` {
		t.Errorf("HEAD gets %v", w.sent)
	}
}

// Each part that the service flushes arrives before the next is sent.
func TestCompressFlushes(t *testing.T) {
	next := make(chan struct{})
	srv := httptest.NewServer(build(t, NewSet(Options{}), model.Middleware{Compress: &model.Compress{}})(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for range 3 {
				_, _ = io.WriteString(w, "{}\n")
				if err := http.NewResponseController(w).Flush(); err != nil {
					t.Error(err)
				}
				<-next
			}
		})))
	defer srv.Close()
	r, _ := http.NewRequest(http.MethodGet, srv.URL, nil)
	r.Header.Set("Accept-Encoding", "zstd")
	resp, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	decoder, err := zstd.NewReader(resp.Body)
	if err != nil || resp.Header.Get("Content-Encoding") != "zstd" {
		t.Fatal(resp.Header, err)
	}
	defer decoder.Close()
	lines := bufio.NewReader(decoder)
	for range 3 {
		if line, err := lines.ReadString('\n'); line != "{}\n" || err != nil {
			t.Fatalf("got %q, %v", line, err)
		}
		next <- struct{}{}
	}
	if rest, err := io.ReadAll(lines); len(rest) > 0 || err != nil {
		t.Errorf("got %q, %v", rest, err)
	}
}

// A part must not look like the whole.
func TestCompressCut(t *testing.T) {
	w := &plainWriter{header: http.Header{}}
	func() {
		defer func() { _ = recover() }()
		build(t, NewSet(Options{}), model.Middleware{Compress: &model.Compress{}})(
			http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, strings.Repeat("a", 5000))
				panic(http.ErrAbortHandler)
			})).ServeHTTP(w, request("/", "Accept-Encoding: gzip"))
	}()
	z, err := gzip.NewReader(bytes.NewReader(w.body))
	if err == nil {
		_, err = io.ReadAll(z)
	}
	if err == nil {
		t.Error("a part of an answer ends well")
	}
}

func TestCompressLeavesEarlyHints(t *testing.T) {
	srv := httptest.NewServer(build(t, NewSet(Options{}), model.Middleware{Compress: &model.Compress{MinBytes: 1}})(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.WriteString(w, "abc")
		})))
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); string(body) != "abc" || err != nil || !resp.Uncompressed {
		t.Errorf("got %q, %v", body, err)
	}
}
