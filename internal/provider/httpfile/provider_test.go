package httpfile_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/httpfile"
	"github.com/fairlead/fairlead/internal/provider/providertest"
)

const source = model.Source("http/main")

func routes(names ...string) string {
	rules := map[string]string{}
	for _, name := range names {
		rules[name] = "Host(`" + name + ".example`)"
	}
	return providertest.Document(rules)
}

// server is a web server with one document.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	body    string
	answer  http.HandlerFunc // nil: the document
	asked   chan *http.Request
	changed chan struct{} // closed and replaced with every change
}

func serve(t *testing.T) *server {
	t.Helper()
	s := &server{body: "{}", asked: make(chan *http.Request, 1000), changed: make(chan struct{})}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) set(body string, answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body, s.answer = body, answer
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case s.asked <- r:
	default:
	}
	s.mu.Lock()
	body, answer := s.body, s.answer
	s.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	tag := strconv.Quote(strconv.Itoa(len(body)) + body[:min(len(body), 1)])
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write([]byte(body))
}

func config(servers ...*server) httpfile.Config {
	c := httpfile.Config{
		Source: source, Interval: time.Millisecond, Timeout: 10 * time.Second,
		Header: func() (http.Header, error) { return http.Header{}, nil },
	}
	for _, s := range servers {
		c.URLs = append(c.URLs, s.URL)
	}
	return c
}

func TestContract(t *testing.T) {
	providertest.Run(t, providertest.Harness{Start: func(t *testing.T) providertest.Place {
		s := serve(t)
		body := "{}"
		set := func(text string) { body = text; s.set(text, byBytes(text)) }
		set("{}")
		return providertest.Place{
			Source:   source,
			Provider: httpfile.New(config(s), slog.New(slog.DiscardHandler)),
			Set:      func(rules map[string]string) { set(providertest.Document(rules)) },
			Spoil: func(rules map[string]string) {
				set(providertest.Document(providertest.Spoilt(rules)))
			},
			Break: func() { s.set("", refuse) },
			Heal:  func() { s.set(body, byBytes(body)) },
		}
	}})
}

// byBytes answers with a text and no validator.
func byBytes(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
}

func refuse(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }

// running is a provider at work.
type running struct {
	t         *testing.T
	published chan string
	ended     chan error
}

func run(t *testing.T, c httpfile.Config) *running {
	t.Helper()
	ignore := goleak.IgnoreCurrent()
	r := &running{t, make(chan string, 100), make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.ended <- httpfile.New(c, slog.New(slog.DiscardHandler)).Run(ctx, func(s model.Snapshot) {
			var names []string
			for _, route := range s.Routes {
				names = append(names, route.Name.Name)
			}
			r.published <- strings.Join(names, " ")
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		goleak.VerifyNone(t, ignore)
	})
	return r
}

func (r *running) want(names string) {
	r.t.Helper()
	select {
	case got := <-r.published:
		if got != names {
			r.t.Fatalf("published %q, want %q", got, names)
		}
	case err := <-r.ended:
		r.t.Fatalf("ended: %v", err)
	case <-time.After(time.Minute):
		r.t.Fatal("published nothing")
	}
}

// fails waits until the provider gives up, and checks why.
func (r *running) fails(why string) {
	r.t.Helper()
	select {
	case got := <-r.published:
		r.t.Errorf("published %q, want the error %q", got, why)
	case err := <-r.ended:
		if !strings.Contains(err.Error(), why) {
			r.t.Errorf("error %q, want %q", err, why)
		}
	case <-time.After(time.Minute):
		r.t.Errorf("no error, want %q", why)
	}
}

func TestUnchangedIsNotSentAgain(t *testing.T) {
	s := serve(t)
	s.set(routes("a"), nil)
	r := run(t, config(s))
	r.want("a")
	<-s.asked
	for range 3 {
		if again := <-s.asked; again.Header.Get("If-None-Match") == "" {
			t.Error("a request without the tag of what is known")
		}
	}
	s.set(routes("a", "b"), nil)
	r.want("a b")
}

func TestFormats(t *testing.T) {
	const json = `{"http": {"routers": {"a": {"rule": "Host(` + "`a`" + `)", "service": "a"}}}}`
	const toml = "[http.routers.a]\nrule = \"Host(`a`)\"\nservice = \"a\"\n"
	for _, test := range []struct{ path, kind, body string }{
		{"/", "application/yaml; charset=utf-8", routes("a")},
		{"/", "text/x-yaml", routes("a")},
		{"/x.json", "application/yaml", routes("a")},
		{"/", "application/json", json},
		{"/", "application/toml", toml},
		{"/x.toml", "text/plain", toml},
		{"/x.json", "", json},
		{"/", "text/plain", json},
		{"/", "", routes("a")},
	} {
		t.Run(test.path+" "+test.kind, func(t *testing.T) {
			s := serve(t)
			s.set("", func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = nil
				if test.kind != "" {
					w.Header().Set("Content-Type", test.kind)
				}
				_, _ = w.Write([]byte(test.body))
			})
			c := config(s)
			c.URLs[0] += test.path
			run(t, c).want("a")
		})
	}
}

// What is no document is not believed, however well it is answered.
func TestGarbage(t *testing.T) {
	answers := func(kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write([]byte(body))
		}
	}
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"an error", refuse, "it answers 500"},
		{"nothing", answers("application/yaml", " \n"), "its answer is empty; {} says"},
		{"a page", answers("text/html; charset=utf-8", "{}"), "a page for people (text/html)"},
		{"half of it", answers("application/json", `{"http": {"rou`), ".json:1: "},
		{"a text", answers("text/plain", "sign in first"), "no dynamic configuration"},
		{"a list", answers("application/json", "[]"), "no dynamic configuration"},
		{"something else", answers("application/json", `{"error": "overloaded"}`), "no dynamic configuration"},
		{"much", answers("application/yaml", strings.Repeat("# much\n", 700_000)), "larger than 4194304 bytes"},
		{"much of nothing", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write([]byte(strings.Repeat(" ", 8<<20)))
			_ = z.Close()
		}, "larger than 4194304 bytes"},
		{"less than promised", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(routes("a")))
		}, "reading its answer: unexpected EOF"},
		{"not modified, though not asked", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotModified)
		}, "it answers 304"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t)
			s.set(routes("a"), byBytes(routes("a")))
			r := run(t, config(s))
			r.want("a")
			s.set("", test.answer)
			r.fails(test.want)
		})
		t.Run(test.name+" at first", func(t *testing.T) {
			s := serve(t)
			s.set("", test.answer)
			run(t, config(s)).fails(test.want)
		})
	}
}

func TestMaxSize(t *testing.T) {
	s := serve(t)
	s.set(routes("a"), byBytes(routes("a")))
	c := config(s)
	c.MaxSize = len(routes("a"))
	r := run(t, c)
	r.want("a")
	s.set(routes("ab"), byBytes(routes("ab")))
	r.fails(fmt.Sprintf("larger than %d bytes", c.MaxSize))
}

func TestOtherServersAreAsked(t *testing.T) {
	first, second := serve(t), serve(t)
	first.set(routes("a"), nil)
	second.set(routes("b"), nil)
	r := run(t, config(first, second))
	r.want("a")
	first.set("", refuse)
	r.want("b")
	first.set(routes("a"), nil)
	second.set(routes("b", "c"), nil) // who answered last is asked on
	r.want("b c")
	second.set("", byBytes("garbage"))
	r.want("a")
	first.set("", refuse)
	r.fails("it answers 500")
}

func TestServerThatHoldsRequests(t *testing.T) {
	s := serve(t)
	hold := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Prefer") != "wait=30" {
			t.Errorf("Prefer: %s", r.Header.Get("Prefer"))
		}
		s.mu.Lock()
		body, changed := s.body, s.changed
		s.mu.Unlock()
		tag := strconv.Quote(strconv.Itoa(len(body)))
		w.Header().Set("ETag", tag)
		w.Header().Set("Preference-Applied", "wait=30")
		if r.Header.Get("If-None-Match") == tag {
			select {
			case <-changed:
			case <-r.Context().Done():
			}
			w.WriteHeader(http.StatusNotModified) // ask again
			return
		}
		_, _ = w.Write([]byte(body))
	}
	s.set(routes("a"), hold)
	c := config(s)
	c.Wait, c.Interval = 30*time.Second, time.Hour
	r := run(t, c)
	r.want("a")
	<-s.asked
	<-s.asked // it is held
	s.set(routes("a", "b"), hold)
	r.want("a b")
}

func TestSecretsStayWithTheirHost(t *testing.T) {
	s, elsewhere := serve(t), serve(t)
	elsewhere.set(routes("a"), nil)
	c := config(s)
	c.Header = func() (http.Header, error) { return http.Header{"X-Token": {"secret"}}, nil }
	s.set("", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Token") != "secret" {
			t.Error("the secret was not sent")
		}
		http.Redirect(w, r, elsewhere.URL, http.StatusFound)
	})
	run(t, c).fails("it redirects to another host")
	if len(elsewhere.asked) > 0 {
		t.Error("the other host was asked")
	}
	s.set("", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/there" {
			http.Redirect(w, r, "/there", http.StatusFound)
			return
		}
		byBytes(routes("b"))(w, r)
	})
	run(t, c).want("b")
	s.set("", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) })
	run(t, c).fails("it redirects too often")
}

func TestSilentServer(t *testing.T) {
	s := serve(t)
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	s.set("", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-over:
		case <-r.Context().Done():
		}
	})
	c := config(s)
	c.Timeout = 50 * time.Millisecond
	run(t, c).fails("there is no answer within 50ms")
}

// A document from elsewhere does not make this machine read its files.
func TestFilesAreNotRead(t *testing.T) {
	s := serve(t)
	s.set("http: {middlewares: {m: {basicAuth: {usersFile: /etc/passwd}}}}", nil)
	problems := make(chan []model.Problem, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := httpfile.New(config(s), slog.New(slog.DiscardHandler))
	done := make(chan error)
	go func() { done <- p.Run(ctx, func(s model.Snapshot) { problems <- s.Problems }) }()
	if found := <-problems; len(found) != 1 {
		t.Errorf("problems %v, want one about usersFile", found)
	}
	cancel()
	<-done
}
