package middleware

import (
	"crypto/tls"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// maxDrained is how much of a body that nobody wants is read, so that its connection can be used again.
const maxDrained = 64 << 10

// askingClient asks a server that decides about requests. Its connections outlive the handlers that use it.
type askingClient struct {
	*http.Client
}

func newAskingClient(config *tls.Config) *askingClient {
	return &askingClient{&http.Client{
		Transport: &http.Transport{
			TLSClientConfig: config, ForceAttemptHTTP2: true, DisableCompression: true,
			MaxIdleConnsPerHost: 64, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// close ends the connections that nobody uses.
func (c *askingClient) close() { c.CloseIdleConnections() }

// clientKeyOf names what a client's connections depend on.
func clientKeyOf(spec *model.ForwardAuth) string {
	if spec.TLS == nil {
		return spec.Address
	}
	sum := tlsSum(spec.TLS)
	return spec.Address + " " + string(sum[:])
}
