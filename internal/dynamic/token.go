package dynamic

import (
	"net/url"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/model"
)

// tokenSource is where a request has its token.
type tokenSource struct {
	Header           string `doc:"header"`
	HeaderAuthScheme string `doc:"headerAuthScheme"`
	Query            string `doc:"query"`
	Cookie           string `doc:"cookie"`
}

// tokenSource returns the usual place of a token (RFC 6750 §2.1) where none is named.
func (p place) tokenSource(s tokenSource) model.TokenSource {
	if s == (tokenSource{}) {
		return model.TokenSource{Header: "Authorization", Scheme: "Bearer"}
	}
	if s.HeaderAuthScheme != "" && (s.Header == "" || !httpguts.ValidHeaderFieldName(s.HeaderAuthScheme)) {
		p.in("headerAuthScheme").invalid("%q is no scheme, or header is not given", s.HeaderAuthScheme)
	}
	source := model.TokenSource{
		Header: p.in("header").headerName(s.Header), Scheme: s.HeaderAuthScheme, Query: s.Query,
		Cookie: p.in("cookie").cookieName(s.Cookie),
	}
	if source.Header == "Authorization" && source.Scheme == "" {
		source.Scheme = "Bearer"
	}
	return source
}

// cookieName lets "" be.
func (p place) cookieName(name string) string {
	if name != "" && !httpguts.ValidHeaderFieldName(name) { // both are tokens, RFC 6265 §4.1.1
		p.invalid("%q is not the name of a cookie", name)
	}
	return name
}

// claimFields reads which claims the service is told, by the names of fields.
func (p place) claimFields(fields map[string]string) map[string]string {
	forward := map[string]string{}
	for _, name := range sortedKeys(fields) {
		if fields[name] == "" {
			p.in(name).invalid("say which claim it is")
		}
		forward[p.in(name).headerName(name)] = fields[name]
	}
	if len(forward) == 0 {
		return nil
	}
	return forward
}

// serverClient is how a server is asked that knows keys, tokens or users.
type serverClient struct {
	TLS            *clientTLS `doc:"tls"`
	TimeoutSeconds int        `doc:"timeoutSeconds"`
}

// serverGaps are the keys of a serverClient that are not served: questions that failed are asked again by the next
// request that needs the answer.
var serverGaps = []gap{{"clientConfig.maxRetries", ignored}}

func (p place) identityServer(c serverClient) model.IdentityServer {
	const most = 60
	if c.TimeoutSeconds < 0 || c.TimeoutSeconds > most {
		p.in("timeoutSeconds").invalid("%d is out of range; it is from 1 to %d, or 0, which is 5", c.TimeoutSeconds, most)
	}
	return model.IdentityServer{
		TLS: p.in("tls").clientTLS(c.TLS), Timeout: time.Duration(c.TimeoutSeconds) * time.Second,
	}
}

// serverURL checks the address of a server that is asked.
func (p place) serverURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		p.invalid("this is no address of a server; write it like https://auth.example/keys")
	}
	return text
}

// cacheFor says how long answers are remembered: 0, which is not at all, is below 0 in the model.
func (p place) cacheFor(d *time.Duration) time.Duration {
	switch {
	case d == nil:
		return 0
	case *d == 0:
		return -1
	case *d < 0 || *d > time.Hour:
		p.invalid("%s is out of range; it is from 0s to 1h", *d)
	}
	return *d
}

// leeway says by how much clocks may differ: 0, which is not at all, is below 0 in the model.
func (p place) leeway(d *time.Duration) time.Duration {
	switch {
	case d == nil:
		return 0
	case *d == 0:
		return -1
	case *d < 0 || *d > 10*time.Minute:
		p.invalid("%s is out of range; it is from 0s to 10m", *d)
	}
	return *d
}
