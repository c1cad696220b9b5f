package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/quic-go/quic-go/http3"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/net/http2"
	"golang.org/x/net/websocket"
)

// question is a request of a script, and what is expected of the answer.
type question struct {
	url     string
	method  string
	fields  []string
	body    string
	user    string // "name:password"
	many    int    // more fields
	bytes   int    // in one more field
	status  int
	trust   string // file with the only certificate that is believed
	anyCert bool   // any is believed
	shown   string // certificate that we show, FILE.pem with FILE-key.pem
	sni     string // asked for when TLS begins; "": the host
	proto   string
	proxied string // line of the PROXY protocol
	jar     string // file with the cookies; "": there are none
}

func parseGet(ts *testscript.TestScript, args []string) (q question, err error) {
	flags := flag.NewFlagSet("get", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&q.method, "X", http.MethodGet, "")
	flags.Func("H", "", func(field string) error {
		if name, file, ok := strings.Cut(field, ":@"); ok {
			field = name + ":" + strings.TrimSpace(ts.ReadFile(file))
		}
		q.fields = append(q.fields, field)
		return nil
	})
	flags.Func("B", "", func(file string) error {
		q.fields = append(q.fields, "Authorization: Bearer "+strings.TrimSpace(ts.ReadFile(file)))
		return nil
	})
	flags.StringVar(&q.body, "d", "", "")
	flags.StringVar(&q.user, "u", "", "")
	flags.IntVar(&q.many, "fields", 0, "")
	flags.IntVar(&q.bytes, "bytes", 0, "")
	flags.IntVar(&q.status, "status", http.StatusOK, "")
	flags.StringVar(&q.trust, "trust", "", "")
	flags.BoolVar(&q.anyCert, "k", false, "")
	flags.StringVar(&q.shown, "cert", "", "")
	flags.StringVar(&q.sni, "sni", "", "")
	flags.StringVar(&q.proto, "proto", "http1", "")
	flags.StringVar(&q.proxied, "proxied", "", "")
	flags.Func("jar", "", func(file string) error { q.jar = ts.MkAbs(file); return nil })
	for rest := args; len(rest) > 0; {
		if err := flags.Parse(rest); err != nil {
			return q, err
		}
		if rest = flags.Args(); len(rest) == 0 {
			break
		}
		if q.url != "" {
			return q, fmt.Errorf("%q after the URL", rest[0])
		}
		q.url, rest = rest[0], rest[1:]
	}
	if q.url == "" {
		return q, errors.New("no URL")
	}
	if q.trust != "" {
		q.trust = ts.MkAbs(q.trust)
	}
	if q.shown != "" {
		q.shown = ts.MkAbs(q.shown)
	}
	return q, nil
}

// request makes the request.
func (q question) request() (*http.Request, error) {
	r, err := http.NewRequest(q.method, q.url, strings.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	for _, field := range q.fields {
		name, value, ok := strings.Cut(field, ":")
		if !ok {
			return nil, fmt.Errorf("%q is no header field", field)
		}
		if value = strings.TrimSpace(value); strings.EqualFold(name, "Host") {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	if cookies := q.cookies(); len(cookies) > 0 {
		r.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
	if name, password, ok := strings.Cut(q.user, ":"); ok {
		r.SetBasicAuth(name, password)
	}
	for n := range q.many {
		r.Header.Set("X-Field-"+strconv.Itoa(n), "1")
	}
	if q.bytes > 0 {
		r.Header.Set("X-Long", strings.Repeat("x", q.bytes))
	}
	return r, nil
}

// transport returns what makes one connection for one request.
func (q question) transport(host string) (*http.Transport, error) {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = cmp.Or(q.sni, host)
	t := &http.Transport{
		DisableKeepAlives: true, Protocols: new(http.Protocols),
		TLSClientConfig: &tls.Config{
			ServerName: host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: q.anyCert,
		},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err == nil && q.proxied != "" {
				conn = &prefixedConn{conn, q.proxied + "\r\n"}
			}
			return conn, err
		},
	}
	if q.shown != "" {
		pair, err := tls.LoadX509KeyPair(q.shown+".pem", q.shown+"-key.pem")
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig.Certificates = []tls.Certificate{pair}
	}
	switch q.proto {
	case "http1":
		t.Protocols.SetHTTP1(true)
	case "h2":
		t.Protocols.SetHTTP2(true)
	case "h2c":
		t.Protocols.SetUnencryptedHTTP2(true)
	case "h3":
	default:
		return nil, fmt.Errorf("-proto %q: there are http1, h2, h2c, h3", q.proto)
	}
	if q.trust == "" {
		return t, nil
	}
	pem, err := os.ReadFile(q.trust)
	if err != nil {
		return nil, err
	}
	t.TLSClientConfig.RootCAs = x509.NewCertPool()
	if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", q.trust)
	}
	return t, nil
}

// roundTripper returns what makes the request, and what ends it.
func (q question) roundTripper(r *http.Request) (http.RoundTripper, func(), error) {
	tcp, err := q.transport(r.Host)
	if err != nil || q.proto != "h3" {
		return tcp, tcp.CloseIdleConnections, err
	}
	quic := &http3.Transport{TLSClientConfig: tcp.TLSClientConfig}
	return quic, func() { _ = quic.Close() }, nil
}

// prefixedConn is a connection that begins with a text.
type prefixedConn struct {
	net.Conn
	prefix string // "" once it is sent
}

// Write is part of net.Conn.
func (p *prefixedConn) Write(b []byte) (int, error) {
	if p.prefix == "" {
		return p.Conn.Write(b)
	}
	n, err := p.Conn.Write(append([]byte(p.prefix), b...))
	n = max(0, n-len(p.prefix))
	p.prefix = ""
	return n, err
}

// get makes a request. Standard output is the answer's body, standard error its head.
func get(c *call) error {
	q, err := parseGet(c.ts, c.args)
	if err != nil {
		return err
	}
	result := q.do()
	c.stdout.WriteString(result.body)
	c.stderr.WriteString(result.head)
	return result.err
}

// scriptResult is what came of a request.
type scriptResult struct {
	head, body string
	err        error
}

func (q question) do() (result scriptResult) {
	r, err := q.request()
	if err != nil {
		return scriptResult{err: err}
	}
	transport, end, err := q.roundTripper(r)
	if err != nil {
		return scriptResult{err: err}
	}
	defer end()
	client := &http.Client{
		Transport: transport, Timeout: scriptTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(r)
	if err != nil {
		return scriptResult{err: err}
	}
	defer func() { _ = answer.Body.Close() }()
	if err := q.keep(answer.Cookies()); err != nil {
		return scriptResult{err: err}
	}
	body, err := io.ReadAll(answer.Body)
	if answer.StatusCode == q.status && q.status >= 400 {
		err = nil // whoever sends too much may find the connection closed before the explanation is read
	}
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s\n", answer.Proto, answer.Status)
	for _, name := range slices.Sorted(maps.Keys(answer.Header)) {
		for _, value := range answer.Header[name] {
			fmt.Fprintf(&head, "%s: %s\n", name, value)
		}
	}
	if err == nil && answer.StatusCode != q.status {
		err = fmt.Errorf("status %d, want %d: %.300s", answer.StatusCode, q.status, body)
	}
	return scriptResult{head.String(), string(body), err}
}

// cookies returns those in the jar, a pair each.
func (q question) cookies() []string {
	if q.jar == "" {
		return nil
	}
	text, _ := os.ReadFile(q.jar) //nolint:gosec // the script says which; there is none at first
	return strings.Fields(string(text))
}

// keep puts cookies into the jar, in place of those of the same names.
func (q question) keep(fresh []*http.Cookie) error {
	if q.jar == "" || len(fresh) == 0 {
		return nil
	}
	pairs := q.cookies()
	for _, c := range fresh {
		pairs = slices.DeleteFunc(pairs, func(pair string) bool { return strings.HasPrefix(pair, c.Name+"=") })
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return os.WriteFile(q.jar, []byte(strings.Join(pairs, "\n")), 0o600)
}

// beginGet makes a request that is not waited for.
func beginGet(c *call) error {
	if len(c.args) < 2 {
		return usage("begin NAME URL [OPTIONS]")
	}
	q, err := parseGet(c.ts, c.args[1:])
	if err != nil {
		return err
	}
	ended := make(chan scriptResult, 1)
	c.begun[c.args[0]] = ended
	go func() { ended <- q.do() }()
	return nil
}

// finishGet waits for the answer to a request that was begun.
func finishGet(c *call) error {
	if len(c.args) != 1 || c.begun[c.args[0]] == nil {
		return usage("finish NAME")
	}
	result := <-c.begun[c.args[0]]
	c.stdout.WriteString(result.body)
	c.stderr.WriteString(result.head)
	return result.err
}

// connect opens connections and leaves them open.
func connect(c *call) error {
	if len(c.args) != 2 {
		return usage("connect NUMBER ADDRESS")
	}
	n, err := strconv.Atoi(c.args[0])
	if err != nil {
		return err
	}
	for range n {
		conn, err := net.Dial("tcp", c.args[1])
		if err != nil {
			return err
		}
		c.held = append(c.held, conn)
	}
	return nil
}

// letGo closes the connections that connect opened.
func (w *scriptWorld) letGo() {
	for _, conn := range w.held {
		_ = conn.Close()
	}
	w.held = nil
}

// talkWebSocket opens a WebSocket, sends a message, and shows what comes back.
func talkWebSocket(c *call) error {
	if len(c.args) == 4 && c.args[0] == "-h2c" {
		back, err := talkWebSocket2(c.args[1], c.args[2], c.args[3])
		fmt.Fprintln(&c.stdout, back)
		return err
	}
	if len(c.args) != 3 {
		return usage("websocket [-h2c] ADDRESS URL MESSAGE")
	}
	config, err := websocket.NewConfig(c.args[1], "http://script.example")
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", c.args[0])
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	ws, err := websocket.NewClient(config, conn)
	if err != nil {
		return err
	}
	if err := websocket.Message.Send(ws, c.args[2]); err != nil {
		return err
	}
	var back string
	if err := websocket.Message.Receive(ws, &back); err != nil {
		return err
	}
	fmt.Fprintln(&c.stdout, back)
	return ws.Close()
}

// talkWebSocket2 does the same over HTTP/2 in plain text (RFC 8441).
func talkWebSocket2(address, to, message string) (back string, err error) {
	u, err := url.Parse(to)
	if err != nil {
		return "", err
	}
	var client http.RoundTripper = &http2.Transport{AllowHTTP: true, //nolint:staticcheck // net/http's refuses ":protocol"
		DialTLSContext: func(ctx context.Context, network, _ string, _ *tls.Config) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		}}
	defer (&http.Client{Transport: client}).CloseIdleConnections()
	body, write := io.Pipe()
	ctx, cancel := context.WithTimeout(context.Background(), scriptTimeout)
	defer cancel()
	answer, err := client.RoundTrip((&http.Request{
		Method: http.MethodConnect, URL: &url.URL{Scheme: "http", Host: u.Host, Path: u.Path}, Host: u.Host, Body: body,
		Header: http.Header{
			":protocol": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Origin": {"http://script.example"},
		},
	}).WithContext(ctx))
	if err != nil {
		return "", err
	}
	defer func() { _, _ = write.Close(), answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d", answer.StatusCode)
	}
	// A whole text, its length (which is short), and what it is masked with, which changes nothing (RFC 6455 §5.2).
	frame := append([]byte{0x81, 0x80 | byte(len(message)), 0, 0, 0, 0}, message...)
	if _, err := write.Write(frame); err != nil {
		return "", err
	}
	echo := make([]byte, 2+len(message))
	if _, err := io.ReadFull(answer.Body, echo); err != nil {
		return "", err
	}
	return string(echo[2:]), nil
}
