package format_test

import (
	"bufio"
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// service answers with what it was told to, and notes what it saw.
type service struct {
	address string

	mu   sync.Mutex
	seen []string
}

// checkPath is what checks of health ask for. They come when they will, and are not noted.
const checkPath = "/fine"

func newService(t *testing.T) *service {
	t.Helper()
	s := new(service)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.address = server.Listener.Addr().String()
	return s
}

// ServeHTTP answers as the fields of the request ask for: Want-Status, Want-Body, and Want-Field ("name: value").
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.URL.Path == checkPath {
		return
	}
	s.mu.Lock()
	s.seen = append(s.seen, requestText(r, string(body)))
	s.mu.Unlock()
	for _, f := range r.Header["Want-Field"] {
		name, value, _ := strings.Cut(f, ": ")
		w.Header().Add(name, value)
	}
	w.Header().Set("Served-By", "service")
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "text/plain")
	}
	if status, _ := strconv.Atoi(r.Header.Get("Want-Status")); status > 0 {
		w.WriteHeader(status)
	}
	_, _ = io.WriteString(w, cmp.Or(r.Header.Get("Want-Body"), "hello"))
}

// requestText is what a service sees of a request, without what differs from one run, or program, to the next.
func requestText(r *http.Request, body string) string {
	var lines []string
	usual := 0
	for name, values := range r.Header {
		switch name {
		case "X-Forwarded-Server", // the name of Traefik's machine, which tells a service nothing
			"Via", // RFC 9110 §7.6.3: proxies must sign, and Traefik does not
			"Want-Status", "Want-Body", "Want-Field":
			continue
		}
		for _, v := range values {
			switch field := strings.ToLower(name) + ": " + v; field {
			case "user-agent: Go-http-client/1.1": // whoever asks
			case "x-forwarded-for: 127.0.0.1", "x-real-ip: 127.0.0.1", "x-forwarded-host: " + r.Host,
				"x-forwarded-port: 80", "x-forwarded-proto: http":
				usual++
			default:
				lines = append(lines, field)
			}
		}
	}
	slices.Sort(lines)
	if body != "" {
		lines = append(lines, "", body)
	}
	first := r.Method + " " + r.RequestURI + " " + r.Host
	if usual < 5 {
		first += fmt.Sprintf(" (%d of 5 forwarding fields)", usual)
	}
	return strings.Join(append([]string{first}, lines...), "\n")
}

// random is what each program, or each run, has its own words for: which server a session is bound to, and what makes a
// challenge its own.
var random = regexp.MustCompile(`(set-cookie: sticky=|nonce="|opaque=")[^";]+([";])`)

// exchange sends a request and returns the answer, and what the service saw of it.
func (s *service) exchange(t *testing.T, on entryPoints, request string) string {
	t.Helper()
	s.mu.Lock()
	s.seen = nil
	s.mu.Unlock()
	answer := random.ReplaceAllString(ask(t, on, request), "${1}VALUE${2}")
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seen := range s.seen {
		if !strings.Contains(request, "\nAccept-Encoding:") { // Go's transport asks for it by itself
			seen = strings.Replace(seen, "\naccept-encoding: gzip", "", 1)
		}
		answer += indent(seen)
	}
	return strings.ReplaceAll(answer, s.address, "SERVICE")
}

// ask sends a request on a connection of its own.
func ask(t *testing.T, on entryPoints, request string) string {
	t.Helper()
	conn, request := dial(t, on, request)
	if conn == nil {
		return "no connection\n"
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	head, body, _ := strings.Cut(request, "\n\n")
	head = strings.TrimSuffix(head, "\n")
	if body != "" && !strings.Contains(head, "\nTransfer-Encoding:") {
		head += fmt.Sprintf("\nContent-Length: %d", len(body))
	}
	if _, err := io.WriteString(conn, strings.ReplaceAll(head, "\n", "\r\n")+"\r\n\r\n"+body); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return "no answer\n"
	}
	content, _ := io.ReadAll(answer.Body)
	return answerText(answer, string(content))
}

// dial connects to the entry point that a request begins with, and returns the rest of the request; nil: it is refused.
func dial(t *testing.T, on entryPoints, request string) (net.Conn, string) {
	t.Helper()
	to, rest, _ := strings.Cut(request, " ")
	_, host, _ := strings.Cut(request, "\nHost: ")
	host, _, _ = strings.Cut(host, "\n")
	config := &tls.Config{InsecureSkipVerify: true, ServerName: host}
	switch to {
	case "client":
		config.Certificates = []tls.Certificate{clientCertificate(t)}
	case "old":
		config.MaxVersion = tls.VersionTLS12
	case "secure":
	case "trusted":
		return dialPlain(t, on(to)), rest
	default: // its method
		return dialPlain(t, on("web")), request
	}
	conn, err := tls.Dial("tcp", on("secure"), config)
	if err != nil {
		return nil, rest
	}
	return conn, rest
}

func dialPlain(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// clientCertificate is the same at all times: its key is made of zeros, and Ed25519 has no randomness (RFC 8032).
func clientCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1234567890),
		Subject: pkix.Name{
			Country: []string{"FR", "CH"}, Province: []string{"Ile; de France"}, Locality: []string{"Paris"},
			Organization: []string{"Shop, \"Ltd\""}, OrganizationalUnit: []string{"Sales"}, CommonName: "*.shop.example",
			SerialNumber: "7",
		},
		NotBefore: time.Unix(1_700_000_000, 0), NotAfter: time.Unix(4_000_000_000, 0),
		DNSNames: []string{"*.shop.example", "shop.example"}, EmailAddresses: []string{"a@shop.example"},
		IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1)},
	}
	chain, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{chain}, PrivateKey: key}
}

// answerText is what a client sees of an answer. Of those that a proxy gives itself, the text is its own.
func answerText(answer *http.Response, body string) string {
	var lines []string
	own := answer.Header.Get("Served-By") == ""
	for name, values := range answer.Header {
		switch name {
		case "Date", "Content-Length", "Via", "Fairlead-Reason", "X-Retry-In": // the last is a time
			continue
		case "Content-Type", "X-Content-Type-Options":
			if own {
				continue
			}
		}
		for _, v := range values {
			lines = append(lines, strings.ToLower(name)+": "+v)
		}
	}
	slices.Sort(lines)
	if !own && body != "" {
		lines = append(lines, "", printable(body))
	}
	return strings.TrimSpace(answer.Status+"\n"+strings.Join(lines, "\n")) + "\n"
}

// printable is for what is no text.
func printable(body string) string {
	if strings.ContainsFunc(body, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == '\uFFFD' }) {
		return "(no text)"
	}
	return body
}
