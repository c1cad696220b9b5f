package middleware

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/model"
)

func grpcWeb(t *testing.T, origins ...string) Func {
	t.Helper()
	return build(t, NewSet(Options{}), model.Middleware{GRPCWeb: &model.GRPCWeb{AllowOrigins: origins}})
}

const (
	message      = "\x00\x00\x00\x00\x02hi"
	trailerFrame = "\x80\x00\x00\x00\x10grpc-status: 0\r\n"
)

// grpcEcho is a service of gRPC: it sends the message back in two pieces, and its status as a trailer.
func grpcEcho(t *testing.T, flush bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Te") != "trailers" || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc+proto") {
			t.Errorf("the service sees %v", r.Header)
		}
		body, err := io.ReadAll(r.Body)
		if string(body) != message || err != nil {
			t.Errorf("the service gets %q, %v", body, err)
		}
		w.Header().Set("Content-Type", "application/grpc+proto")
		w.Header().Set("X-App", "a")
		w.Header().Set("Trailer", "Grpc-Status")
		for _, part := range []string{message[:4], message[4:]} {
			_, _ = io.WriteString(w, part)
			if flush {
				_ = http.NewResponseController(w).Flush()
			}
		}
		w.Header().Set("Grpc-Status", "0")
	})
}

func ask(body string, fields ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/pkg.Service/Method", strings.NewReader(body))
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Set(name, value)
	}
	return r
}

func TestGRPCWebTranslates(t *testing.T) {
	for name, flush := range map[string]bool{"whole": false, "in pieces": true} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			grpcWeb(t)(grpcEcho(t, flush)).ServeHTTP(w, ask(message, "Content-Type: application/grpc-web+proto"))
			got := w.Header().Get("Content-Type")
			if got != "application/grpc-web+proto" || w.Body.String() != message+trailerFrame {
				t.Errorf("got %s %q", got, w.Body)
			}
			if w.Header()["Trailer"] != nil || w.Header()["Grpc-Status"] != nil {
				t.Errorf("the head has %v", w.Header())
			}

			w = httptest.NewRecorder()
			text := base64.StdEncoding.EncodeToString([]byte(message))
			grpcWeb(t)(grpcEcho(t, flush)).ServeHTTP(w, ask(text, "Content-Type: application/grpc-web-text+proto"))
			if got := w.Header().Get("Content-Type"); got != "application/grpc-web-text+proto" {
				t.Error(got)
			}
			if got := decodeGroups(t, w.Body.String()); got != message+trailerFrame {
				t.Errorf("got %q", got)
			}
		})
	}
}

// decodeGroups decodes base64 as the protocol has it: padding may stand in the middle.
func decodeGroups(t *testing.T, text string) (all string) {
	t.Helper()
	for ; len(text) >= 4; text = text[4:] {
		group, err := base64.StdEncoding.DecodeString(text[:4])
		if err != nil {
			t.Fatal(err)
		}
		all += string(group)
	}
	if text != "" {
		t.Fatalf("%q is no group", text)
	}
	return all
}

func TestGRPCWebTellsBrowsers(t *testing.T) {
	preflight := func(f Func, origin, method, asked string) (http.Header, *seen) {
		r := request("/pkg.Service/Method", "Origin: "+origin, "Access-Control-Request-Method: "+method,
			"Access-Control-Request-Headers: "+asked)
		r.Method = http.MethodOptions
		w, s := exchange(f, r)
		return w.Header(), s
	}
	vary := []string{"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"}
	want := http.Header{
		"Access-Control-Allow-Origin": {"https://a.example"}, "Access-Control-Allow-Methods": {"POST"}, "Vary": vary,
		"Access-Control-Allow-Headers":     {"content-type,X-Grpc-Web"},
		"Access-Control-Allow-Credentials": {"true"}, "Access-Control-Max-Age": {"600"},
	}
	for _, origins := range [][]string{{"*"}, {"https://b.example", "https://a.example"}} {
		got, s := preflight(grpcWeb(t, origins...), "https://a.example", "POST", "content-type,X-Grpc-Web")
		if diff := cmp.Diff(want, got); diff != "" || s != nil {
			t.Errorf("%v: (-want +got):\n%s", origins, diff)
		}
	}
	for _, c := range [][2]string{{"https://evil.example", "POST"}, {"https://a.example", "DELETE"}} {
		got, s := preflight(grpcWeb(t, "https://a.example"), c[0], c[1], "x-grpc-web")
		if diff := cmp.Diff(http.Header{"Vary": vary}, got); diff != "" || s != nil {
			t.Errorf("%v: (-want +got):\n%s", c, diff)
		}
	}
	if _, s := preflight(grpcWeb(t, "*"), "https://a.example", "POST", "content-type"); s == nil {
		t.Error("another preflight does not reach the service")
	}

	for origin, allowed := range map[string]string{"https://a.example": "https://a.example", "https://evil.example": ""} {
		w := httptest.NewRecorder()
		grpcWeb(t, "https://a.example")(grpcEcho(t, false)).ServeHTTP(w,
			ask(message, "Content-Type: application/grpc-web+proto", "Origin: "+origin))
		h := w.Header()
		if h.Get("Access-Control-Allow-Origin") != allowed || h.Get("Vary") != "Origin" {
			t.Errorf("a page of %s: %v", origin, h)
		}
		if got := h.Get("Access-Control-Expose-Headers"); allowed != "" &&
			got != "Content-Type, X-App, grpc-message, grpc-status" {
			t.Error(got)
		}
	}
}

func TestGRPCWebLeavesOthersAlone(t *testing.T) {
	_, s := exchange(grpcWeb(t, "*"), ask(message, "Content-Type: application/grpc"))
	if s.Header.Get("Content-Type") != "application/grpc" || s.Header.Get("Te") != "" {
		t.Errorf("the service sees %v", s.Header)
	}
	answers := map[string]http.HandlerFunc{
		"text": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "4")
			http.Error(w, "gone", http.StatusGone)
		},
		"the status in the head": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Status", "5")
			w.WriteHeader(http.StatusOK)
		},
	}
	for name, answer := range answers {
		w := httptest.NewRecorder()
		grpcWeb(t)(answer).ServeHTTP(w, ask("", "Content-Type: application/grpc-web-text"))
		if strings.Contains(w.Body.String(), "\x80") || len(w.Body.String()) > 5 {
			t.Errorf("%s: got %q", name, w.Body)
		}
	}
	w := httptest.NewRecorder()
	bad := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err == nil {
			t.Error("what is no base64 is a body")
		}
	})
	grpcWeb(t)(bad).ServeHTTP(w, ask("%%%%", "Content-Type: application/grpc-web-text"))
}
