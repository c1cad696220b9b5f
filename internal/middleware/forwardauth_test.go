package middleware

import (
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/model"
)

// authServer answers as it is told, and notes what it was asked.
type authServer struct {
	*httptest.Server
	asked  *http.Request
	body   string
	answer http.HandlerFunc
}

func newAuthServer(t *testing.T, answer http.HandlerFunc) *authServer {
	t.Helper()
	a := &authServer{answer: answer}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.asked, a.body = r, string(body)
		a.answer(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

// closing is a Set whose connections are closed when the test ends.
func closing(t *testing.T) *Set {
	t.Helper()
	s := NewSet(Options{})
	t.Cleanup(func() {
		for _, k := range s.states {
			k.close()
		}
	})
	return s
}

func admitAll(http.ResponseWriter, *http.Request) {}

func TestForwardAuthAsks(t *testing.T) {
	auth := newAuthServer(t, admitAll)
	f := func(spec model.ForwardAuth) Func {
		spec.Address = auth.URL + "/check?x=y"
		return build(t, closing(t), model.Middleware{ForwardAuth: &spec})
	}
	r := request("/a%2Fb?c=d", "Accept: text/html", "X-Api: 1", "X-Forwarded-Uri: /public", "X_forwarded_uri: /public",
		"X-Forwarded-For: 192.0.2.9", "Connection: close")
	r.Method, r.Host, r.RemoteAddr = http.MethodPost, "shop.example", "192.0.2.1:55"
	want := map[string]string{
		"X-Forwarded-Method": "POST", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "shop.example",
		"X-Forwarded-Uri": "/a%2Fb?c=d", "X-Forwarded-For": "192.0.2.1", "Accept": "text/html", "X-Api": "1",
	}
	check := func(method string, want map[string]string) {
		t.Helper()
		if auth.asked.Method != method || auth.asked.URL.String() != "/check?x=y" || "http://"+auth.asked.Host != auth.URL {
			t.Errorf("asked %s %s of %s", auth.asked.Method, auth.asked.URL, auth.asked.Host)
		}
		fields := map[string]string{}
		for k, v := range auth.asked.Header {
			if k != "User-Agent" && k != "Content-Length" {
				fields[k] = strings.Join(v, "|")
			}
		}
		if diff := cmp.Diff(want, fields); diff != "" {
			t.Errorf("fields (-want +got):\n%s", diff)
		}
	}
	if w, got := exchange(f(model.ForwardAuth{}), r); w.Code != 200 || got == nil {
		t.Fatalf("status %d", w.Code)
	}
	check("GET", want)

	exchange(f(model.ForwardAuth{TrustForwarded: true, PreserveMethod: true, Request: []string{"x-api"}}), r)
	want["X-Forwarded-Uri"], want["X-Forwarded-For"] = "/public", "192.0.2.9, 192.0.2.1"
	delete(want, "Accept")
	check("POST", want)

	r.Header["X-Forwarded-For"] = []string{"192.0.2.7, 192.0.2.1", "192.0.2.9"} // of which the client was read
	exchange(f(model.ForwardAuth{TrustForwarded: true, PreserveMethod: true, Request: []string{"x-api"}}), r)
	want["X-Forwarded-For"] = "192.0.2.7, 192.0.2.1, 192.0.2.9"
	check("POST", want)
}

func TestForwardAuthTellsTheService(t *testing.T) {
	auth := newAuthServer(t, func(w http.ResponseWriter, _ *http.Request) {
		for k, v := range fieldsOf("X-User: ann", "X-Role: admin", "X-Role: cook", "X-Other: no", "Connection: X-User",
			"Fairlead-Key: no", "Remote-Groups: a", "Remote-Host: b") {
			w.Header()[k] = v
		}
		w.WriteHeader(http.StatusNoContent)
	})
	f := build(t, closing(t), model.Middleware{ForwardAuth: &model.ForwardAuth{
		Address: auth.URL, Response: []string{"x-user", "x-role", "X-Gone"}, ResponseRegex: "^Remote-|^Fairlead|^Connection",
	}})
	// What a client says of itself never reaches the service, in whatever spelling (RFC 3875 §4.1.18: services read
	// X_User as X-User).
	_, got := exchange(f, request("/", "X-User: root", "X_user: root", "X-Gone: root", "Remote-Groups: root",
		"Remote_host: root", "Remote.name: root", "Remote-Name: root", "X-Other: mine"))
	want := map[string][]string{
		"X-User": {"ann"}, "X-Role": {"admin", "cook"}, "Remote-Groups": {"a"}, "Remote-Host": {"b"}, "X-Other": {"mine"},
	}
	if diff := cmp.Diff(want, map[string][]string(got.Header)); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestForwardAuthDenies(t *testing.T) {
	auth := newAuthServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/login?back=1")
		w.Header().Set("Set-Cookie", "state=1")
		w.Header().Set("Fairlead-Reason", "not theirs to give")
		w.WriteHeader(http.StatusFound)
		_, _ = io.WriteString(w, "log in")
	})
	for preserve, location := range map[bool]string{false: auth.URL + "/login?back=1", true: "/login?back=1"} {
		spec := model.ForwardAuth{Address: auth.URL, PreserveLocation: preserve}
		f := build(t, closing(t), model.Middleware{ForwardAuth: &spec})
		w := &reasons{ResponseRecorder: httptest.NewRecorder()}
		f(http.NotFoundHandler()).ServeHTTP(w, request("/"))
		if w.Code != 302 || w.Header().Get("Location") != location || w.Body.String() != "log in" ||
			w.Header().Get("Set-Cookie") != "state=1" || w.Header().Get("Fairlead-Reason") != "" ||
			w.reason != "refused_by_forwardAuth" {
			t.Errorf("got %d %v %q %q", w.Code, w.Header(), w.Body, w.reason)
		}
	}
	auth.Close()
	f := build(t, closing(t), model.Middleware{ForwardAuth: &model.ForwardAuth{Address: auth.URL}})
	if w, got := exchange(f, request("/")); w.Code != http.StatusBadGateway || got != nil {
		t.Errorf("without its server, %d", w.Code)
	}
}

func TestForwardAuthCookies(t *testing.T) {
	auth := newAuthServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Set-Cookie"] = []string{"session=auth; Path=/", "auth_a=1", "other=auth"}
	})
	f := build(t, closing(t), model.Middleware{ForwardAuth: &model.ForwardAuth{
		Address: auth.URL, Cookies: []string{"session"}, CookiesRegex: "^auth_",
	}})
	w := httptest.NewRecorder()
	f(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Set-Cookie"] = []string{"session=app", "auth_b=2", "other=app"}
	})).ServeHTTP(w, request("/"))
	want := []string{"other=app", "session=auth; Path=/", "auth_a=1"}
	if diff := cmp.Diff(want, w.Header()["Set-Cookie"]); diff != "" {
		t.Errorf("cookies (-want +got):\n%s", diff)
	}
}

func TestForwardAuthBody(t *testing.T) {
	auth := newAuthServer(t, admitAll)
	f := build(t, closing(t), model.Middleware{ForwardAuth: &model.ForwardAuth{
		Address: auth.URL, ForwardBody: true, MaxBody: 5,
	}})
	for body, want := range map[string]int{"order": 200, "orders": 401} {
		for _, known := range []bool{true, false} {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
			if !known {
				r.ContentLength = -1
			}
			got := ""
			w := httptest.NewRecorder()
			f(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				got = string(b)
			})).ServeHTTP(w, r)
			if w.Code != want || want == 200 && (got != body || auth.body != body) {
				t.Errorf("%q: status %d, the service gets %q, the server %q", body, w.Code, got, auth.body)
			}
		}
	}
}

func TestForwardAuthOverTLS(t *testing.T) {
	auth := httptest.NewUnstartedServer(http.HandlerFunc(admitAll))
	auth.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	auth.StartTLS()
	defer auth.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: auth.Certificate().Raw}))
	for name, c := range map[string]struct {
		tls  *model.ClientTLS
		want int
	}{
		"unknown": {nil, 502}, "known": {&model.ClientTLS{CA: ca}, 200}, "any": {&model.ClientTLS{SkipVerify: true}, 200},
	} {
		f := build(t, closing(t), model.Middleware{ForwardAuth: &model.ForwardAuth{Address: auth.URL, TLS: c.tls}})
		if w, _ := exchange(f, request("/")); w.Code != c.want {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}
