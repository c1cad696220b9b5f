package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/websocket"
)

// scriptApp is an application behind an instance. It answers with what it was asked.
type scriptApp struct {
	name   string
	server *http.Server
	dies   bool   // it cuts the connection in place of an answer
	stop   func() // of one that speaks no HTTP

	mu   sync.Mutex
	gate chan struct{} // closed by release
	held int           // requests at the gate
}

// startApp starts an application. The second time it has the address that it had the first time.
func startApp(c *call) error {
	if len(c.args) < 1 || len(c.args) > 2 || len(c.args) == 2 && c.args[1] != "-dies" {
		return usage("app NAME [-dies]")
	}
	a := &scriptApp{name: c.args[0], dies: len(c.args) == 2, gate: make(chan struct{})}
	variable, address := envName(a.name), c.address
	if before := c.ts.Getenv(variable); before != "" {
		address = before
	}
	if was := c.apps[a.name]; was != nil {
		was.close()
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", websocket.Handler(func(ws *websocket.Conn) { _, _ = io.Copy(ws, ws) }))
	mux.HandleFunc("/hold", a.hold)
	mux.HandleFunc("/", a.answer)
	a.server = &http.Server{Handler: mux, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go func() { _ = a.server.Serve(l) }()
	c.apps[a.name] = a
	c.ts.Setenv(variable, l.Addr().String())
	return nil
}

func (a *scriptApp) close() {
	if a.stop != nil {
		a.stop()
		return
	}
	_ = a.server.Close()
}

// answer tells the request.
func (a *scriptApp) answer(w http.ResponseWriter, r *http.Request) {
	if a.dies {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("X-App", a.name)
	fmt.Fprintf(w, "%s: %s %s\nHost: %s\n", a.name, r.Method, r.URL.RequestURI(), r.Host)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		for _, value := range r.Header[name] {
			fmt.Fprintf(w, "%s: %s\n", name, value)
		}
	}
}

// hold answers when the application is told to.
func (a *scriptApp) hold(w http.ResponseWriter, r *http.Request) {
	gate := a.wait(1)
	defer a.wait(-1)
	select {
	case <-gate:
		a.answer(w, r)
	case <-r.Context().Done():
	}
}

// wait adds n to the requests at the gate.
func (a *scriptApp) wait(n int) chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held += n
	return a.gate
}

// waitingApp fails as long as no request waits to be answered.
func waitingApp(c *call) error {
	if len(c.args) != 1 || c.apps[c.args[0]] == nil {
		return usage("waiting APP")
	}
	a := c.apps[c.args[0]]
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.held == 0 {
		return errors.New("no request waits")
	}
	return nil
}

// releaseApp lets the requests for /hold be answered.
func releaseApp(c *call) error {
	if len(c.args) != 1 || c.apps[c.args[0]] == nil {
		return usage("release APP")
	}
	a := c.apps[c.args[0]]
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.gate)
	a.gate = make(chan struct{})
	return nil
}

// makeCert makes a self-signed certificate.
func makeCert(c *call) error {
	if len(c.args) < 2 {
		return usage("cert FILE HOST…")
	}
	der, key, err := selfSigned(c.args[1:]...)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		writePEM(c.ts.MkAbs(c.args[0]+".pem"), "CERTIFICATE", der),
		writePEM(c.ts.MkAbs(c.args[0]+"-key.pem"), "PRIVATE KEY", private),
	)
}

// selfSigned makes a certificate for hosts.
func selfSigned(hosts ...string) (der []byte, key *ecdsa.PrivateKey, err error) {
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: hosts[0]}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return der, key, err
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// scriptLoad is a client that asks again and again, at an even pace.
type scriptLoad struct {
	cancel context.CancelFunc
	ended  chan struct{}

	mu     sync.Mutex
	served map[string]int // by application
	failed int
	last   string // failure
}

// startLoad starts a load.
func startLoad(c *call) error {
	if len(c.args) < 3 {
		return usage("load NAME RATE URL [-H FIELD]…")
	}
	var rate int
	if _, err := fmt.Sscan(c.args[1], &rate); err != nil || rate < 1 {
		return fmt.Errorf("rate %q: a number of requests a second", c.args[1])
	}
	q, err := parseGet(c.ts, c.args[2:])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &scriptLoad{cancel: cancel, ended: make(chan struct{}), served: make(map[string]int)}
	c.loads[c.args[0]] = l
	go l.run(ctx, q, slower*time.Second/time.Duration(rate))
	return nil
}

func (l *scriptLoad) run(ctx context.Context, q question, pace time.Duration) {
	defer close(l.ended)
	client := &http.Client{Timeout: scriptTimeout, Transport: &http.Transport{
		MaxIdleConnsPerHost: 256, TLSClientConfig: &tls.Config{ServerName: q.sni, InsecureSkipVerify: q.anyCert},
	}}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	var underWay sync.WaitGroup
	for {
		select {
		case <-ctx.Done():
			underWay.Wait()
			return
		case <-tick.C:
			underWay.Go(func() { l.count(l.request(client, q)) })
		}
	}
}

func (l *scriptLoad) request(client *http.Client, q question) (app string, err error) {
	r, err := q.request()
	if err != nil {
		return "", err
	}
	answer, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return "", err
	}
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s (%s)", answer.Status, answer.Header.Get("Fairlead-Reason"))
	}
	return answer.Header.Get("X-App"), nil
}

func (l *scriptLoad) count(app string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failed++
		l.last = fmt.Sprintf("%s %v", time.Now().Format(time.StampMilli), err)
		return
	}
	l.served[app]++
}

func (l *scriptLoad) stop() {
	l.cancel()
	<-l.ended
}

// endLoad ends a load and tells what became of its requests; with -so-far, it goes on.
func endLoad(c *call) error {
	if len(c.args) < 1 || len(c.args) > 2 || c.loads[c.args[0]] == nil {
		return usage("loaded NAME [-so-far]")
	}
	l := c.loads[c.args[0]]
	if len(c.args) == 1 {
		l.stop()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	served := 0
	for _, n := range l.served {
		served += n
	}
	fmt.Fprintf(&c.stdout, "served %d, failed %d\n", served, l.failed)
	for _, app := range slices.Sorted(maps.Keys(l.served)) {
		fmt.Fprintf(&c.stdout, "%s %d\n", app, l.served[app])
	}
	switch {
	case l.failed > 0:
		return fmt.Errorf("%d of %d requests failed; the last: %s", l.failed, l.failed+served, l.last)
	case served == 0:
		return errors.New("no request was served")
	}
	return nil
}
