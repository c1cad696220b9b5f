package docker

import (
	"cmp"
	"context"
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

// connect returns a client of the engine. It agrees on a version of the API with the first request.
func (e Engine) connect() (*client.Client, error) {
	transport := &http.Transport{
		DialContext:     (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig: e.TLS.Clone(), IdleConnTimeout: time.Minute,
	}
	options := []client.Opt{
		client.WithHTTPClient(&http.Client{Transport: transport}), client.WithHost(e.url()), client.WithUserAgent("fairlead"),
	}
	if e.Username != "" {
		password, err := e.Password()
		if err != nil {
			return nil, fmt.Errorf("reading the password: %w", err)
		}
		credentials := base64.StdEncoding.EncodeToString([]byte(e.Username + ":" + password))
		options = append(options, client.WithHTTPHeaders(map[string]string{"Authorization": "Basic " + credentials}))
	}
	return client.New(options...)
}

// url is the endpoint as the client library has it.
func (e Engine) url() string {
	for _, scheme := range []string{"http://", "https://"} {
		if rest, ok := strings.CutPrefix(e.Endpoint, scheme); ok {
			return "tcp://" + rest
		}
	}
	return e.Endpoint
}

// remote is the host of an engine that is asked over TCP; "": it is on this machine.
func (e Engine) remote() string {
	u, err := url.Parse(e.url())
	if err != nil || u.Scheme != "tcp" {
		return ""
	}
	return u.Hostname()
}

// within returns a context for one request.
func (e Engine) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, cmp.Or(e.Timeout, defaultTimeout))
}

// host is where what listens on the engine's own host is reached from here. In a container on the same host that is a
// name which Docker, or Podman, gives it.
func (e Engine) host(ctx context.Context) string {
	if host := e.remote(); host != "" {
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
