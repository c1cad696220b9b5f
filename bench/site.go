//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// site is what a proxy is configured to serve. The templates in peers are filled in with it.
type site struct {
	HTTP, HTTPS, H2C string // addresses to serve on: HTTP/1.1, TLS with HTTP/1.1 and HTTP/2, HTTP/2 in plain text
	Admin            string // where it may answer questions about itself
	Cert, Key, Both  string // files: the certificate, its key, and both in one
	Dir              string // its folder: everything that it writes goes there
	Files            uint64 // how many files it may open
	Routes           []route
	Services         []target
	Compress         bool              // answers of text are made smaller with gzip, as much as Go's does
	Cache            bool              // answers are kept
	Middlewares      map[string]string // of Fairlead: what each is, in the dynamic format
}

// route leads a host to a service.
type route struct {
	Name, Host, Service string
	Middlewares         []string // of Fairlead
}

// target is a service, as the templates see it.
type target struct {
	Name      string
	Endpoints []string // host:port
}

// The sites that proxies are measured with: one route to one service of two endpoints, the same with answers that are
// made smaller or kept, a route for each middleware, and ten thousand routes to a hundred services.
const (
	one        = "one"
	compressed = "compressed"
	cached     = "cached"
	eachOne    = "each"
	many       = "many"

	manyRoutes   = 10_000
	manyServices = 100
)

// hostOf returns the host of a route. bench.lua makes the same names.
func hostOf(route int) string { return fmt.Sprintf("r%05d.bench.example", route) }

// newSite describes a site for the service at port.
func newSite(kind string, port int) (site, error) {
	var s site
	if kind != many {
		s.Services = []target{{"s000", []string{
			fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("127.0.0.2:%d", port),
		}}}
		s.Routes = []route{{Name: "r00000", Host: hostOf(0), Service: "s000"}}
	}
	switch kind {
	case one:
		return s, nil
	case compressed:
		s.Compress, s.Routes[0].Middlewares = true, []string{"m0"}
		s.Middlewares = map[string]string{"m0": "compress: {}"}
		return s, nil
	case cached:
		s.Cache, s.Routes[0].Middlewares = true, []string{"m0"}
		s.Middlewares = map[string]string{"m0": "cache: {}"}
		return s, nil
	case eachOne:
		err := middlewareSite(&s)
		return s, err
	}
	for i := range manyServices {
		s.Services = append(s.Services, target{
			Name:      fmt.Sprintf("s%03d", i),
			Endpoints: []string{fmt.Sprintf("127.0.1.%d:%d", 1+i, port), fmt.Sprintf("127.0.2.%d:%d", 1+i, port)},
		})
	}
	for i := range manyRoutes {
		s.Routes = append(s.Routes, route{
			Name: fmt.Sprintf("r%05d", i), Host: hostOf(i), Service: s.Services[i%manyServices].Name,
		})
	}
	return s, nil
}

// freePorts returns addresses on which nobody listens now. Another program may take one before the proxy does; then
// that proxy does not start, and says so.
func freePorts(n int) (addresses []string, err error) {
	for range n {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		defer l.Close()
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}

// writeCertificate writes a certificate and its key, of the kind that most have today (ECDSA, P-256), for all proxies.
func writeCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench.example"}, DNSNames: []string{"*.bench.example"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, // what wrk and h2load ask for
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("making a certificate: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encoding a key: %w", err)
	}
	first := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	second := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "cert.pem"), first, 0o600),
		os.WriteFile(filepath.Join(dir, "key.pem"), second, 0o600),
		os.WriteFile(filepath.Join(dir, "both.pem"), append(first, second...), 0o600),
	)
}
