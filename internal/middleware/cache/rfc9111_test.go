package cache

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// step is one request, and what must come of it.
type step struct {
	after   time.Duration
	request string // "METHOD target", then fields; "": GET /
	answer  string // of the service, should it be asked: a status, then fields; "": 200
	asked   string // "": it must not be; "yes"; or fields that it must see ("-Name": must not)
	want    string // the status that the client gets, "=N" for the body of the Nth answer of the service, then fields
}

// The sentences of RFC 9111 that say MUST (and those that say SHOULD and that services rely on), each with its section,
// are in testdata/rfc9111.txt. A line of it is, by how it begins,
//
//	##  the section, and what must hold
//	!   an option of the handler
//	+   a wait
//	>   a request: its method and target, then its fields
//	?   a field that the service must see in it; "-Name": must not see
//	<   the service's answer: its status, then its fields. Without it, the service must not be asked
//	=   what the client must get: the status, "=N" for the body of the service's Nth answer, then fields
func TestRFC9111(t *testing.T) {
	text, err := os.ReadFile("testdata/rfc9111.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range strings.Split(string(text), "## ")[1:] {
		name, script, _ := strings.Cut(c, "\n")
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, steps := parse(t, script)
				play(t, o, steps)
			})
		})
	}
}

// parse reads the lines of one case.
func parse(t *testing.T, script string) (o Options, steps []step) {
	t.Helper()
	var st step
	add := func(to *string, line string) { *to = strings.TrimPrefix(*to+"\n"+line, "\n") }
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		kind, rest := line[0], strings.TrimPrefix(line[1:], " ")
		if st.want != "" && kind != '=' {
			steps, st = append(steps, st), step{}
		}
		switch kind {
		case '!':
			name, value, _ := strings.Cut(rest, " ")
			option(t, &o, name, value)
		case '+':
			st.after = duration(t, rest)
		case '>':
			add(&st.request, rest)
		case '?':
			add(&st.asked, rest)
		case '<':
			if st.asked == "" {
				st.asked = "yes"
			}
			add(&st.answer, rest)
		case '=':
			add(&st.want, rest)
		default:
			t.Fatalf("%q is no line of a case", line)
		}
	}
	return o, append(steps, st)
}

func option(t *testing.T, o *Options, name, value string) {
	t.Helper()
	switch name {
	case "ttl":
		o.TTL = duration(t, value)
	case "stale-if-error":
		o.StaleIfError = duration(t, value)
	case "stale-while-revalidate":
		o.StaleWhileRevalidate = duration(t, value)
	case "max-object":
		_, _ = fmt.Sscan(value, &o.MaxObject)
	default:
		t.Fatalf("%q is no option", name)
	}
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// play makes the requests one after the other.
func play(t *testing.T, o Options, steps []step) {
	t.Helper()
	s := newService(t)
	h := s.cached(o)
	for i, st := range steps {
		time.Sleep(st.after)
		s.answer, s.asked = st.answer, nil
		r := toRequest(st.request)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		synctest.Wait()
		at := fmt.Sprintf("step %d", i+1)
		if (s.asked != nil) != (st.asked != "") {
			t.Fatalf("%s: the service is asked: %t; answer %d %q %v", at, s.asked != nil, w.Code, w.Body, w.Header())
		}
		if strings.Contains(st.asked, ":") || strings.HasPrefix(st.asked, "-") {
			has(t, at+": the service", s.asked, strings.Split(st.asked, "\n"))
		}
		first, fields, more := strings.Cut(st.want, "\n")
		status, body, checked := strings.Cut(first, " =")
		if fmt.Sprint(w.Code) != status || checked && w.Body.String() != body {
			t.Errorf("%s: got %d %q, want %s %v", at, w.Code, w.Body, first, w.Header())
		}
		if more {
			has(t, at, w.Header(), strings.Split(fields, "\n"))
		}
	}
}

// has looks for the lines "Name: value" and "-Name".
func has(t *testing.T, who string, h http.Header, lines []string) {
	t.Helper()
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		if absent, ok := strings.CutPrefix(name, "-"); ok {
			if len(h[absent]) > 0 {
				t.Errorf("%s has %s: %q", who, absent, h[absent])
			}
		} else if got := strings.Join(h[name], ", "); got != value {
			t.Errorf("%s has %s: %q, want %q", who, name, got, value)
		}
	}
}

func toRequest(text string) *http.Request {
	if text == "" {
		text = "GET /"
	}
	lines := strings.Split(text, "\n")
	method, target, _ := strings.Cut(lines[0], " ")
	if target[0] == '/' {
		target = "http://a.example" + target
	}
	r := httptest.NewRequest(method, target, nil)
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		if r.Header[name] = append(r.Header[name], value); name == "Host" {
			delete(r.Header, name)
			r.Host = value
		}
	}
	return r
}

// service answers as it is told. Its bodies are the numbers of its answers.
type service struct {
	t      *testing.T
	answer string
	asked  http.Header // nil: it was not
	n      int
	store  *Store
}

func newService(t *testing.T) *service { return &service{t: t, store: NewStore()} }

func (s *service) cached(o Options) http.Handler {
	s.store.Resize(1 << 20)
	if o.MaxObject == 0 {
		o.MaxObject = 1 << 16
	}
	o.Detach = func(_ http.ResponseWriter, r *http.Request) (*http.Request, func()) {
		return r.Clone(s.t.Context()), func() {}
	}
	o.SetReason = func(http.ResponseWriter, string) {}
	o.Log = slog.New(slog.NewTextHandler(s.t.Output(), nil))
	return s.store.Handler(o, s)
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.n++
	s.asked = r.Header.Clone()
	body, status := fmt.Sprint(s.n), 200
	lines := strings.Split(s.answer, "\n")
	if lines[0] != "" {
		_, _ = fmt.Sscan(lines[0], &status)
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		if w.Header().Add(name, value); name == "X-Body" {
			body = value
		}
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}
