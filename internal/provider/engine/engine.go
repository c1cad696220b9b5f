package engine

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/moby/moby/client"
)

const (
	defaultTimeout = 30 * time.Second
	dialTimeout    = 10 * time.Second
)

// Engine is where an engine is, and how it is asked.
type Engine struct {
	Endpoint string // unix:///var/run/docker.sock, tcp://host:2376, http://host:2375, ssh://user@host
	// TLS is the side of a client; nil: an endpoint of TCP is asked in plain text.
	TLS      *tls.Config
	SSH      *SSH   // for an endpoint of SSH, which must have it
	Username string // for basic authentication by a proxy before the engine; "": none
	Password func() (string, error)
	Token    func() (string, error) // sent as a bearer's; nil: none
	Timeout  time.Duration          // for one answer; 0: 30 s
}

// Connect returns a client of the engine. It agrees on a version of the API with the first request.
func (e Engine) Connect() (*client.Client, error) {
	// An engine whose machine is gone is missed when a stream of events is silent for too long.
	alive := net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 5 * time.Second, Count: 2}
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAliveConfig: alive}
	transport := &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: e.TLS.Clone(), IdleConnTimeout: time.Minute,
	}
	options := []client.Opt{
		client.WithHTTPClient(&http.Client{Transport: transport}), client.WithHost(e.url()), client.WithUserAgent("fairlead"),
	}
	if e.isSSH() {
		dial, err := e.SSH.dialer(e.Endpoint, dialer)
		if err != nil {
			return nil, err
		}
		options = append(options, client.WithDialContext(dial))
	}
	credentials, err := e.credentials()
	if err != nil {
		return nil, err
	}
	if credentials != "" {
		options = append(options, client.WithHTTPHeaders(map[string]string{"Authorization": credentials}))
	}
	return client.New(options...)
}

func (e Engine) credentials() (string, error) {
	switch {
	case e.Username != "":
		password, err := e.Password()
		if err != nil {
			return "", fmt.Errorf("reading the password: %w", err)
		}
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(e.Username+":"+password)), nil
	case e.Token != nil:
		token, err := e.Token()
		if err != nil {
			return "", fmt.Errorf("reading the token: %w", err)
		}
		if token != "" {
			return "Bearer " + token, nil
		}
	}
	return "", nil
}

func (e Engine) isSSH() bool { return strings.HasPrefix(e.Endpoint, "ssh://") }

// url is the endpoint as the client library has it. One of SSH it does not know: there, the name is for nobody.
func (e Engine) url() string {
	if e.isSSH() {
		return "tcp://engine"
	}
	for _, scheme := range []string{"http://", "https://"} {
		if rest, ok := strings.CutPrefix(e.Endpoint, scheme); ok {
			return "tcp://" + rest
		}
	}
	return e.Endpoint
}

// Remote is the host of an engine that is asked over TCP or SSH; "": it is on this machine.
func (e Engine) Remote() string {
	u, err := url.Parse(e.Endpoint)
	if err != nil {
		return ""
	}
	return u.Hostname() // a socket has none
}

// Within returns a context for one request.
func (e Engine) Within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, cmp.Or(e.Timeout, defaultTimeout))
}

// Host is where what listens on the engine's own host is reached from here. In a container on the same host that is a
// name which Docker, or Podman, gives it.
func (e Engine) Host(ctx context.Context) string {
	if host := e.Remote(); host != "" {
		return host
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, name := range []string{"host.docker.internal", "host.containers.internal"} {
		if found, err := net.DefaultResolver.LookupHost(ctx, name); err == nil && len(found) > 0 {
			return found[0]
		}
	}
	return "127.0.0.1"
}
