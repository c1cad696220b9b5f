package consul_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/test/instance"
	"github.com/fairlead/fairlead/test/lab"
)

// meshPolicy is all that the instance's token may do where it is a part of the mesh. docs/providers/consulcatalog.md
// has the same.
const meshPolicy = policy + ` service "traefik" { policy = "write" }`

// mesh reaches a service over its sidecar, as Consul's intentions allow. Nobody may reach it whom none allows.
func mesh(t *testing.T, program string) {
	c := lab.NewConsul(t, "dc1", true)
	c.Start()
	one := newService(t, "one")
	one.Config.SetKeepAlivesEnabled(false) // every request is a handshake of the mesh
	sidecar := instance.FreeAddress(t)
	register(t, c, one, sidecar)
	runSidecar(t, c, one.id, token(t, c, policy+` service "shop" { policy = "write" }`))
	instance.AwaitListener(t, patience, sidecar)
	s := start(t, program, "testdata/mesh", c, token(t, c, meshPolicy))

	s.says("shop.example", "502") // nothing allows it
	if status, body := instance.NewCustomer(t, sidecar, "shop.example").Ask("/"); status != 0 {
		t.Errorf("a client that is not of the mesh is answered %d %s", status, body)
	}
	c.Do("PUT", "/v1/connect/intentions/exact?source=traefik&destination=shop", `{"Action": "allow"}`)
	s.says("shop.example", "one")
	s.rotate(c, sidecar)
	c.Do("PUT", "/v1/connect/intentions/exact?source=traefik&destination=shop", `{"Action": "deny"}`)
	s.says("shop.example", "502")
}

// register registers a service that a sidecar stands before.
func register(t *testing.T, c *lab.Consul, s *service, sidecar string) {
	t.Helper()
	_, port, _ := net.SplitHostPort(sidecar)
	number, _ := strconv.Atoi(port)
	text, err := json.Marshal(map[string]any{
		"ID": s.id, "Name": "shop", "Address": "127.0.0.1", "Port": s.port(),
		"Tags": []string{
			"traefik.http.routers.shop.rule=Host(`shop.example`)", "traefik.consulcatalog.connect=true",
		},
		"Connect": map[string]any{"SidecarService": map[string]any{"Port": number}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Do("PUT", "/v1/agent/service/register", string(text))
}

// runSidecar runs the proxy that Consul itself has.
func runSidecar(t *testing.T, c *lab.Consul, of, secret string) {
	t.Helper()
	cmd := exec.Command(lab.Built(t, "consul"), "connect", "proxy", "-sidecar-for", of, "-http-addr", c.Address())
	cmd.Env = append(cmd.Environ(), "CONSUL_HTTP_TOKEN="+secret)
	instance.Serve(t, cmd)
}

// rotate replaces the root of the mesh under load: whoever is of the mesh has another certificate then.
func (s *suite) rotate(c *lab.Consul, sidecar string) {
	s.t.Helper()
	was := issuer(s.t, sidecar)
	loaded := s.customer.Load()
	c.Do("PUT", "/v1/connect/ca/configuration",
		`{"Provider": "consul", "Config": {"PrivateKeyType": "ec", "PrivateKeyBits": 384}}`)
	instance.Await(s.t, patience, "the sidecar has a certificate of another root", func() bool {
		return issuer(s.t, sidecar) != was
	})
	s.says("shop.example", "one")
	loaded("a root replaced")
}

// issuer returns who signed the certificate that a sidecar shows. It shows it to strangers, too, and nothing else.
func issuer(t *testing.T, sidecar string) (key string) {
	t.Helper()
	conn, err := tls.Dial("tcp", sidecar, &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // what it shows is looked at
		VerifyConnection: func(s tls.ConnectionState) error {
			key = string(s.PeerCertificates[0].AuthorityKeyId)
			return nil
		},
	})
	if err == nil {
		_, err = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
	if err == nil {
		t.Error("a sidecar takes a client that shows no certificate")
	}
	return strings.Clone(key)
}
