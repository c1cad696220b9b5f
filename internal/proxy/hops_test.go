package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// ask sends a raw request to a proxy whose service answers with the request as it came, and returns the answer.
func ask(t *testing.T, raw string, change ...func(*Options)) (status int, h http.Header, body string) {
	t.Helper()
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Via", "1.0 behind")
		_, _ = io.WriteString(w, r.Method+" "+r.RequestURI+"\n")
		_ = r.Header.Write(w)
	})
	b := start(t, to(addr), change...)
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, raw)
	method, _, _ := strings.Cut(raw, " ")
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(text)
}

func signed(v Via) func(*Options) { return func(o *Options) { o.EntryPoints[0].Via = v } }

func TestVia(t *testing.T) {
	for _, c := range []struct {
		name, line string
		via        Via
		seen, back string // Via at the service, and at the client
	}{
		{"both ways", "", Via{"edge", true}, "1.1 edge", "1.0 behind, 1.1 edge"},
		{"requests only", "", Via{"edge", false}, "1.1 edge", "1.0 behind"},
		{"not at all", "", Via{}, "", "1.0 behind"},
		{"others before", "Via: 1.0 a, HTTP/2.0 b (x, y)\r\nVia: 1.1 c\r\n", Via{"edge", false},
			"1.0 a, HTTP/2.0 b (x, y), 1.1 c, 1.1 edge", "1.0 behind"},
		{"named as hop-by-hop", "Connection: via\r\nVia: 1.0 a\r\n", Via{"edge", false}, "1.1 edge", "1.0 behind"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, h, body := ask(t, "GET / HTTP/1.1\r\nHost: a\r\n"+c.line+"\r\n", signed(c.via))
			_, seen, _ := strings.Cut(body, "Via: ")
			if seen, _, _ = strings.Cut(seen, "\r\n"); seen != c.seen {
				t.Errorf("the service sees %q, want %q", seen, c.seen)
			}
			if back := strings.Join(h["Via"], "|"); back != c.back {
				t.Errorf("the client sees %q, want %q", back, c.back)
			}
		})
	}
}

func TestViaLoop(t *testing.T) {
	passed := strings.TrimSuffix(strings.Repeat("1.1 edge, ", maxPasses-1), ", ")
	for line, want := range map[string]int{
		passed: 200, passed + ", 2.0 edge": 508, passed + "\r\nVia: 1.1 edge (x)": 508, passed + ", 1.1 other": 200,
	} {
		status, h, _ := ask(t, "GET / HTTP/1.1\r\nHost: a\r\nVia: "+line+"\r\n\r\n", signed(Via{Name: "edge"}))
		if status != want || want == 508 && h.Get(reasonField) != reasonLoop {
			t.Errorf("%q: %d %s, want %d", line, status, h.Get(reasonField), want)
		}
	}
}

func TestFinal(t *testing.T) {
	const credentials = "Authorization: Basic c2VjcmV0\r\nCookie: secret=1\r\nVia: 1.0 a\r\n"
	for _, c := range []struct {
		name, raw string
		status    int
		body      string // of the answer, or its beginning
	}{
		{"decremented", "OPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\n\r\n", 200,
			"OPTIONS /x\nMax-Forwards: 2\r\n"},
		{"to the last", "TRACE /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 1\r\n\r\n", 200, "TRACE /x\nMax-Forwards: 0\r\n"},
		{"too large", "OPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 99999999999999999999\r\n\r\n", 200,
			"OPTIONS /x\nMax-Forwards: 2147483646\r\n"},
		{"OPTIONS ends here", "OPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n", 200, ""},
		{"TRACE ends here", "TRACE /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n" + credentials + "\r\n", 200,
			"TRACE /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\nVia: 1.0 a\r\n\r\n"},
		{"TRACE with content", "TRACE /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", 400, "400"},
		{"for others it means nothing", "GET /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n", 200,
			"GET /x\nMax-Forwards: 0\r\n"},
		{"no number", "OPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: -1\r\n\r\n", 400, "400"},
		{"two numbers", "OPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 1\r\nMax-Forwards: 0\r\n\r\n", 400, "400"},
		{"the server in general", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 200, ""},
		{"the server in general, absolute", "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", 200, ""},
		{"CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501, "501"},
		{"an unknown expectation", "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue, more\r\n\r\n", 417, ""},
		{"an expectation without content", "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", 200,
			"GET /\nX-Forwarded-For"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, _, body := ask(t, c.raw)
			if status != c.status || !strings.HasPrefix(body, c.body) || c.body == "" && status == 200 && body != "" {
				t.Errorf("%d %q, want %d %q", status, body, c.status, c.body)
			}
		})
	}
}

func TestForwarded(t *testing.T) {
	trusted := trust{ranges: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, forwarded: true}
	for _, c := range []struct {
		name      string
		trust     trust
		from      string
		forwarded []string
		client    string
		proto     string // X-Forwarded-Proto
	}{
		{"a stranger's claim", trusted, "192.0.2.7:1", []string{"for=127.0.0.1"}, "192.0.2.7", "http"},
		{"through one", trusted, "10.0.0.1:1", []string{"for=192.0.2.7;proto=https"}, "192.0.2.7", "https"},
		{"through two", trusted, "10.0.0.1:1", []string{"For=192.0.2.7;Proto=HTTPS, for=10.9.9.9;proto=http"}, "192.0.2.7",
			"https"},
		{"in two fields", trusted, "10.0.0.1:1", []string{"for=192.0.2.7;proto=https", "for=10.9.9.9"}, "192.0.2.7", "https"},
		{"left of the stranger are claims", trusted, "10.0.0.1:1", []string{"for=127.0.0.1;proto=https,for=192.0.2.7"},
			"192.0.2.7", "http"},
		{"IPv6 with a port", trusted, "10.0.0.1:1", []string{`for="[2001:db8::1]:4711";by=_x`}, "2001:db8::1", "http"},
		{"escapes", trusted, "10.0.0.1:1", []string{`host="a\"b,;";for="192.0.2.\7"`}, "192.0.2.7", "http"},
		{"hidden", trusted, "10.0.0.1:1", []string{"for=_hidden;proto=https"}, "10.0.0.1", "https"},
		{"everyone", trust{everyone: true, forwarded: true}, "198.51.100.1:1", []string{"for=192.0.2.7;proto=https,for=x"},
			"198.51.100.1", "https"},
		{"not well-formed", trusted, "10.0.0.1:1", []string{"for=192.0.2.7 x"}, "10.0.0.1", "http"},
		{"not closed", trusted, "10.0.0.1:1", []string{`for="192.0.2.7`}, "10.0.0.1", "http"},
		{"not asked for", trust{ranges: trusted.ranges}, "10.0.0.1:1", []string{"for=192.0.2.7"}, "10.0.0.1", "http"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &http.Request{Host: "a", RemoteAddr: c.from, Header: http.Header{"Forwarded": c.forwarded}}
			if got := c.trust.resolveClient(r).String(); got != c.client {
				t.Errorf("client %s, want %s", got, c.client)
			}
			if got := r.Header.Get("X-Forwarded-Proto"); got != c.proto {
				t.Errorf("proto %s, want %s", got, c.proto)
			}
		})
	}
}

func TestForwardedAsTheServiceSeesIt(t *testing.T) {
	on := func(o *Options) { o.EntryPoints[0].Forwarded = true }
	for host, want := range map[string]string{
		"a": "for=127.0.0.1;host=a;proto=http", "a:80": `for=127.0.0.1;host="a:80";proto=http`,
	} {
		_, _, body := ask(t, "GET / HTTP/1.1\r\nHost: "+host+"\r\nForwarded: for=1.2.3.4\r\n\r\n", on)
		if !strings.Contains(body, "\r\nForwarded: "+want+"\r\n") && !strings.Contains(body, "\nForwarded: "+want+"\r\n") {
			t.Errorf("%s: %q", host, body)
		}
	}
	got := addForwarded([]string{"for=a"}, netip.MustParseAddr("2001:db8::1"), `a"b`, "https")
	if want := `for=a, for="[2001:db8::1]";host="a\"b";proto=https`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add(`for="[2001:db8::1]:80";proto=https;host="a\"b", for=_x`)
	f.Fuzz(func(t *testing.T, list string) {
		elements, ok := parseForwarded([]string{list})
		if ok == (len(elements) == 0) {
			t.Errorf("%q: %v %v", list, elements, ok)
		}
	})
}

// What the service did not say is not made up (net/http would guess from the body).
func TestContentTypeIsNotGuessed(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		_, _ = io.WriteString(w, "<html>")
	})
	if _, h, _ := start(t, to(addr)).get(t, "/"); len(h["Content-Type"]) > 0 {
		t.Errorf("%q", h["Content-Type"])
	}
}

// Behind these protocols, a client would speak to the service past every rule here.
func TestUpgradesThatArePassedOn(t *testing.T) {
	for value, want := range map[string]string{
		"websocket": "websocket", "h2c": "", "H2C, websocket": "websocket", "TLS/1.3": "", "HTTP/2.0, h2": "", ", ,": "",
		"a/1, b": "a/1, b",
	} {
		r := &http.Request{ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Connection": {"Upgrade"}, "Upgrade": {value}}}
		if got := wantedUpgrade(r); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
		if r.ProtoMinor = 0; wantedUpgrade(r) != "" {
			t.Errorf("%q: changed from HTTP/1.0", value)
		}
	}
}
