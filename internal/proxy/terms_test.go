package proxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/fairlead/fairlead/internal/model"
)

// hostWorld makes snapshots with a route for each host, over TLS.
type hostWorld struct {
	*model.Snapshot
	addr string
}

// newHosts returns one whose service says which host was asked for.
func newHosts(t *testing.T) *hostWorld {
	t.Helper()
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.Host)) })
	s := to(addr)
	s.Routes = nil
	return &hostWorld{s, addr}
}

// route adds a route, with the options of a name; "": none.
func (h *hostWorld) route(name string, match model.Match, options string) *model.Route {
	r := &model.Route{
		Name: model.Name{Name: name}, Source: "file/test", Match: match, Priority: 10, TLS: true,
		Backends: []model.Backend{{Service: h.Services[0].Ref(), Weight: 1}},
	}
	if options != "" {
		r.TLSOptions = model.Ref{Name: model.Name{Name: options}, Source: "file/test"}
	}
	h.Routes = append(h.Routes, r)
	return r
}

func (h *hostWorld) options(name string, change func(*model.TLSOptions)) {
	o := &model.TLSOptions{Name: model.Name{Name: name}, Source: "file/test"}
	change(o)
	h.TLSOptions = append(h.TLSOptions, o)
}

// sorted returns a copy, for h may be changed and applied again.
func (h *hostWorld) sorted() *model.Snapshot {
	s := *h.Snapshot
	s.Sort()
	return &s
}

// clientCertificate makes one that is its own issuer, and options that want it.
func clientCertificate(t *testing.T) (tls.Certificate, func(*model.TLSOptions)) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, func(o *model.TLSOptions) {
		o.ClientAuth = tls.RequireAndVerifyClientCert
		o.ClientCAs = []string{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
	}
}

// visitor makes requests over one connection, which it begins by asking for a name.
type visitor struct {
	t    *testing.T
	b    *bench
	http http.RoundTripper
}

// newVisitor returns a visitor of a front: "h1", "h2" or "h3".
func newVisitor(t *testing.T, b *bench, front, name string, certificates ...tls.Certificate) visitor {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true, ServerName: name, Certificates: certificates}
	if front == "h3" {
		client := &http3.Transport{TLSClientConfig: config}
		t.Cleanup(func() { _ = client.Close() })
		return visitor{t, b, client}
	}
	client := &http.Transport{TLSClientConfig: config, Protocols: new(http.Protocols)}
	client.Protocols.SetHTTP1(front == "h1")
	client.Protocols.SetHTTP2(front == "h2")
	t.Cleanup(client.CloseIdleConnections)
	return visitor{t, b, client}
}

// ask returns the status for a host and the reason; 0 where there is no answer.
func (v visitor) ask(host string, path ...string) (int, string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, v.b.url+strings.Join(path, ""), nil)
	if err != nil {
		v.t.Fatal(err)
	}
	r.Host = host
	answer, err := v.http.RoundTrip(r)
	if err != nil {
		return 0, err.Error()
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	return answer.StatusCode, answer.Header.Get("Fairlead-Reason")
}

func (v visitor) wants(status int, reason, host string, path ...string) {
	v.t.Helper()
	if got, why := v.ask(host, path...); got != status || status != 0 && why != reason {
		v.t.Errorf("%s%s: %d (%s); want %d (%s)", host, strings.Join(path, ""), got, why, status, reason)
	}
}

func eachFront(t *testing.T, f func(t *testing.T, front string)) {
	for _, front := range []string{"h1", "h2", "h3"} {
		t.Run(front, func(t *testing.T) { f(t, front) })
	}
}

// A client certificate that one host wants: it cannot be got round by asking for another (domain fronting), and a
// connection that was made for one host is of no use for the other (RFC 9110 §15.5.20, RFC 9113 §9.1.2).
func TestTermsOfHosts(t *testing.T) {
	h := newHosts(t)
	shown, wanted := clientCertificate(t)
	h.options("mutual", wanted)
	h.route("open", model.Leaf(model.Host, "open.example"), "")
	h.route("closed", model.Leaf(model.Host, "closed.example"), "mutual")
	h.route("below", model.Leaf(model.Host, "*.closed.example"), "mutual")
	b := startSecure(t, h.sorted())
	eachFront(t, func(t *testing.T, front string) {
		stranger := newVisitor(t, b, front, "open.example")
		stranger.wants(200, "", "open.example")
		stranger.wants(421, "misdirected", "closed.example")
		stranger.wants(421, "misdirected", "CLOSED.example.:443")
		stranger.wants(421, "misdirected", "a.closed.example")
		stranger.wants(404, "no_route", "other.example")
		stranger.wants(200, "", "open.example") // it still can

		newVisitor(t, b, front, "closed.example").wants(0, "", "closed.example")
		newVisitor(t, b, front, "").wants(421, "misdirected", "closed.example")

		friend := newVisitor(t, b, front, "closed.example", shown)
		friend.wants(200, "", "closed.example")
		friend.wants(200, "", "a.closed.example") // the same options
		friend.wants(421, "misdirected", "open.example")
	})
	if problems := b.Problems(); len(problems) > 0 {
		t.Error(problems)
	}
}

// Routes that cannot have their options are not opened by that.
func TestTermsThatCannotBe(t *testing.T) {
	h := newHosts(t)
	shown, wanted := clientCertificate(t)
	h.options("mutual", wanted)
	h.options("modern", func(o *model.TLSOptions) { o.MinVersion = tls.VersionTLS13 })
	h.options("broken", func(o *model.TLSOptions) { o.Broken = true })
	at := func(path string) model.Match {
		return model.Match{Of: []model.Match{model.Leaf(model.Host, "both.example"), model.Leaf(model.PathPrefix, path)}}
	}
	h.route("both-closed", at("/closed"), "mutual")
	h.route("both-modern", at("/modern"), "modern")
	h.route("both-open", at("/open"), "")
	h.route("anywhere", model.Leaf(model.PathPrefix, "/anywhere"), "mutual")
	h.route("unknown", model.Leaf(model.Host, "unknown.example"), "mutaul")
	h.route("broken", model.Leaf(model.Host, "broken.example"), "broken")
	h.route("plain", model.Leaf(model.Host, "plain.example"), "").TLS = false
	b := startSecure(t, h.sorted())
	eachFront(t, func(t *testing.T, front string) {
		v := newVisitor(t, b, front, "both.example", shown)
		v.wants(421, "misdirected", "both.example", "/closed")
		v.wants(200, "", "both.example", "/modern") // as in Traefik
		v.wants(200, "", "both.example", "/open")
		v.wants(421, "misdirected", "both.example", "/anywhere")
		v.wants(503, "bad_tls_options", "unknown.example")
		v.wants(503, "bad_tls_options", "broken.example")
		v.wants(200, "", "plain.example")
	})
	var told []string
	for _, p := range b.Problems() {
		told = append(told, p.Object.Name.Name+" "+string(p.Code))
	}
	want := "both-closed conflict, both-modern conflict, unknown unknown_tls_options"
	if got := strings.Join(told, ", "); got != want {
		t.Errorf("problems: %s; want: %s", got, want)
	}
}

// The default options are for all hosts that have no others. Where they cannot be, nothing is served on them.
func TestDefaultTerms(t *testing.T) {
	h := newHosts(t)
	shown, wanted := clientCertificate(t)
	h.options("default", wanted)
	h.options("open", func(*model.TLSOptions) {})
	h.route("closed", model.Leaf(model.PathPrefix, "/"), "")
	h.route("open", model.Leaf(model.Host, "open.example"), "open")
	b := startSecure(t, h.sorted())
	eachFront(t, func(t *testing.T, front string) {
		newVisitor(t, b, front, "a.example").wants(0, "", "a.example")
		newVisitor(t, b, front, "a.example", shown).wants(200, "", "a.example")
		v := newVisitor(t, b, front, "open.example")
		v.wants(200, "", "open.example")
		v.wants(421, "misdirected", "a.example")
	})
	h.TLSOptions = h.TLSOptions[1:]
	h.options("default", func(o *model.TLSOptions) { o.Broken = true })
	b.Apply(h.sorted(), true)
	eachFront(t, func(t *testing.T, front string) {
		newVisitor(t, b, front, "a.example", shown).wants(503, "bad_tls_options", "a.example")
		newVisitor(t, b, front, "open.example").wants(200, "", "open.example")
	})
}

// A change lets connections live, except where other clients are admitted than before.
func TestTermsChange(t *testing.T) {
	h := newHosts(t)
	_, wanted := clientCertificate(t)
	h.options("some", func(*model.TLSOptions) {})
	h.route("a", model.Leaf(model.Host, "a.example"), "some")
	b := startSecure(t, h.sorted())
	eachFront(t, func(t *testing.T, front string) {
		change := func(f func(*model.TLSOptions)) {
			h.TLSOptions = nil
			h.options("some", f)
			b.Apply(h.sorted(), true)
		}
		change(func(*model.TLSOptions) {})
		v := newVisitor(t, b, front, "a.example")
		v.wants(200, "", "a.example")
		change(func(o *model.TLSOptions) { o.MinVersion = tls.VersionTLS13 })
		v.wants(200, "", "a.example")
		change(wanted)
		v.wants(421, "misdirected", "a.example")
		change(func(*model.TLSOptions) {})
		v.wants(200, "", "a.example")
	})
}

// What was agreed on with one host is not resumed with another that wants more.
func TestTermsAreNotResumed(t *testing.T) {
	h := newHosts(t)
	_, wanted := clientCertificate(t)
	h.options("mutual", wanted)
	h.options("whole", func(o *model.TLSOptions) { o.NoTickets = true })
	h.route("open", model.Leaf(model.Host, "open.example"), "")
	h.route("closed", model.Leaf(model.Host, "closed.example"), "mutual")
	h.route("whole", model.Leaf(model.Host, "whole.example"), "whole")
	b := startSecure(t, h.sorted())
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cache := tls.NewLRUClientSessionCache(8)
		shake := func(name string) (bool, error) {
			config := &tls.Config{
				InsecureSkipVerify: true, ServerName: name, MaxVersion: version,
				ClientSessionCache: sessionsOf{cache}, NextProtos: []string{"http/1.1"},
			}
			conn, err := tls.Dial("tcp", b.Addr("web").String(), config)
			if err != nil {
				return false, err
			}
			defer func() { _ = conn.Close() }()
			if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: " + name + "\r\n\r\n")); err != nil {
				return false, err
			}
			var some [16]byte // tickets of TLS 1.3 come with it
			_, err = conn.Read(some[:])
			return conn.ConnectionState().DidResume, err
		}
		for _, step := range []struct {
			name        string
			resumes, ok bool
		}{
			{"open.example", false, true}, {"open.example", true, true}, {"closed.example", false, false},
			{"whole.example", false, true}, {"whole.example", false, true},
		} {
			resumed, err := shake(step.name)
			if resumed != step.resumes || (err == nil) != step.ok {
				t.Errorf("%s, %s: resumed %v, %v", tls.VersionName(version), step.name, resumed, err)
			}
		}
	}
}

// sessionsOf offers what it has to every server.
type sessionsOf struct{ tls.ClientSessionCache }

func (s sessionsOf) Get(string) (*tls.ClientSessionState, bool)  { return s.ClientSessionCache.Get("") }
func (s sessionsOf) Put(_ string, state *tls.ClientSessionState) { s.ClientSessionCache.Put("", state) }

// Names that no certificate has are refused where options say so.
func TestStrictNames(t *testing.T) {
	h := newHosts(t)
	h.options("default", func(o *model.TLSOptions) { o.StrictNames = true })
	h.route("all", model.Leaf(model.PathPrefix, "/"), "").TLSNames = []string{"a.example", "b.example"}
	b := startSecure(t, h.sorted(), func(o *Options) {
		o.EntryPoints[0].Certified = func(name string) bool { return name == "a.example" }
	})
	eachFront(t, func(t *testing.T, front string) {
		newVisitor(t, b, front, "a.example").wants(200, "", "a.example")
		newVisitor(t, b, front, "b.example").wants(0, "", "b.example")
	})
	if p := b.Problems(); len(p) != 1 || p[0].Code != model.NoCertificate || !strings.Contains(p[0].Message, "b.example") {
		t.Error(p)
	}
}

// A stream has the options of its route.
func TestTermsOfStreams(t *testing.T) {
	h := newHosts(t)
	shown, wanted := clientCertificate(t)
	h.options("mutual", wanted)
	h.options("lines", func(o *model.TLSOptions) { o.Protocols = []string{"lines"} })
	h.options("broken", func(o *model.TLSOptions) { o.Broken = true })
	w := &streamWorld{*h.Snapshot}
	for name, options := range map[string]string{"open": "", "mutual": "mutual", "lines": "lines", "broken": "broken"} {
		w.add(model.LaneTCP, name, name+".example", func(r *model.Route, _ *model.Service) {
			if options != "" {
				r.TLSOptions = model.Ref{Name: model.Name{Name: options}, Source: "file/test"}
			}
		}, listenTCP(t, echo(name)))
	}
	b := startSecure(t, w.snapshot())
	greeting := func(name string, protocols []string, certificates ...tls.Certificate) string {
		t.Helper()
		conn, err := tls.Dial("tcp", b.Addr("web").String(), &tls.Config{
			InsecureSkipVerify: true, ServerName: name, Certificates: certificates, NextProtos: protocols,
		})
		if err != nil {
			return ""
		}
		defer func() { _ = conn.Close() }()
		var said [6]byte
		n, _ := conn.Read(said[:])
		return string(said[:n])
	}
	for _, c := range []struct{ want, got string }{
		{"open", greeting("open.example", nil)},
		{"", greeting("mutual.example", nil)},
		{"mutual", greeting("mutual.example", nil, shown)},
		{"lines", greeting("lines.example", []string{"lines"})},
		{"", greeting("lines.example", []string{"words"})},
		{"", greeting("broken.example", nil, shown)},
	} {
		if c.got != c.want {
			t.Errorf("%q; want %q", c.got, c.want)
		}
	}
}

// A follower's client has shown its certificate to nobody here.
func TestTermsOverLink(t *testing.T) {
	h := newHosts(t)
	_, wanted := clientCertificate(t)
	h.options("mutual", wanted)
	r := h.route("closed", model.Leaf(model.Host, "closed.example"), "mutual")
	r.Export.Offered, r.TLS = true, true
	p := start(t, h.sorted(), func(o *Options) {
		o.Link = &Link{Authorize: func(string) (<-chan struct{}, error) { return nil, nil }}
	})
	in := httptest.NewRequest(http.MethodGet, "https://closed.example/", nil)
	in.RequestURI, in.URL.Host = "/", ""
	in.Header.Set(serviceField, r.ExportedAs().String())
	in.Header.Set("X-Forwarded-Proto", "https")
	in.RemoteAddr = (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}).String()
	w := httptest.NewRecorder()
	p.followers(p.options.Link).ServeHTTP(w, in)
	if w.Code != 421 || w.Header().Get("Fairlead-Reason") != "misdirected" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}
