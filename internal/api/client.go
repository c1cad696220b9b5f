package api

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	maxAnswer   = 256 << 20 // bytes; 100,000 endpoints take 30 MiB
	callTimeout = 30 * time.Second
)

// ClientOptions say which instance a client asks.
type ClientOptions struct {
	URL   string       // "http://127.0.0.1:9080"
	Token model.Secret // the API key
	TLS   *tls.Config  // nil: the system's roots
}

// Client asks an instance. Errors that the instance answers with are [*Error]. It may be used concurrently.
type Client struct {
	url   string
	token model.Secret
	http  *http.Client
}

// NewClient returns a client. It connects when it is first used.
func NewClient(o ClientOptions) *Client {
	transport := &http.Transport{
		TLSClientConfig: o.TLS, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout: time.Minute, Proxy: http.ProxyFromEnvironment,
	}
	return &Client{
		url: strings.TrimSuffix(o.URL, "/") + base, token: o.Token,
		http: &http.Client{
			Transport: transport,
			// A redirect would carry the key to wherever it points.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close gives idle connections back.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Filter chooses among the objects of a list. The zero Filter lets all pass.
type Filter struct {
	Name    string // "name" or "name@source"; of hosts the address, of providers the source
	Cluster string
}

func (f Filter) query() url.Values {
	q := make(url.Values)
	if f.Name != "" {
		q.Set("name", f.Name)
	}
	if f.Cluster != "" {
		q.Set("cluster", f.Cluster)
	}
	return q
}

// Version returns which program answers.
func (c *Client) Version(ctx context.Context) (v Version, err error) {
	return v, c.call(ctx, http.MethodGet, "/version", nil, nil, &v)
}

// Routes returns the routes, sorted by name, then source.
func (c *Client) Routes(ctx context.Context, f Filter) ([]Route, error) {
	return list[Route](ctx, c, "/routes", f)
}

// Services returns the services, sorted by name, then source.
func (c *Client) Services(ctx context.Context, f Filter) ([]Service, error) {
	return list[Service](ctx, c, "/services", f)
}

// Clusters returns the instance's own cluster, then those that it follows, sorted by name.
func (c *Client) Clusters(ctx context.Context, f Filter) ([]Cluster, error) {
	return list[Cluster](ctx, c, "/clusters", f)
}

// Hosts returns the live state of addresses, sorted by cluster, then address.
func (c *Client) Hosts(ctx context.Context, f Filter) ([]Host, error) {
	return list[Host](ctx, c, "/hosts", f)
}

// Problems returns what is wrong, sorted by object.
func (c *Client) Problems(ctx context.Context, f Filter) ([]Problem, error) {
	return list[Problem](ctx, c, "/problems", f)
}

// Providers returns the sources, sorted.
func (c *Client) Providers(ctx context.Context, f Filter) ([]Provider, error) {
	return list[Provider](ctx, c, "/providers", f)
}

// Registrations returns the instances that registered themselves, sorted by service, then address.
func (c *Client) Registrations(ctx context.Context, f Filter) ([]Registration, error) {
	return list[Registration](ctx, c, "/registrations", Filter{Name: f.Name})
}

// Register registers the instance of a service at an address, host:port, or renews its lease. Where the host is left
// out, it is that of whoever asks.
func (c *Client) Register(
	ctx context.Context, service, address string, spec RegistrationSpec,
) (r Registration, err error) {
	return r, c.call(ctx, http.MethodPut, registrationPath(service, address), nil, spec, &r)
}

// Deregister takes the instance of a service away.
func (c *Client) Deregister(ctx context.Context, service, address string) error {
	return c.call(ctx, http.MethodDelete, registrationPath(service, address), nil, nil, nil)
}

func registrationPath(service, address string) string {
	return "/registrations/" + url.PathEscape(service) + "/" + url.PathEscape(address)
}

// Keys returns the API keys, the oldest first.
func (c *Client) Keys(ctx context.Context) ([]Key, error) {
	return list[Key](ctx, c, "/keys", Filter{})
}

// Key returns one API key.
func (c *Client) Key(ctx context.Context, id string) (k Key, err error) {
	return k, c.call(ctx, http.MethodGet, "/keys/"+url.PathEscape(id), nil, nil, &k)
}

// CreateKey makes an API key.
func (c *Client) CreateKey(ctx context.Context, spec KeySpec) (k IssuedKey, err error) {
	return k, c.call(ctx, http.MethodPost, "/keys", nil, spec, &k)
}

// RotateKey gives a key a new secret. The one before is good for the time of the overlap, too.
func (c *Client) RotateKey(ctx context.Context, id string, overlap time.Duration) (k IssuedKey, err error) {
	return k, c.call(ctx, http.MethodPost, "/keys/"+url.PathEscape(id)+"/rotate", nil, Rotation{overlap.String()}, &k)
}

// RevokeKey ends a key and its sessions.
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/keys/"+url.PathEscape(id), nil, nil, nil)
}

// Explain says where a request would go.
func (c *Client) Explain(ctx context.Context, q Question) (e Explanation, err error) {
	query := url.Values{"url": {q.URL}, "header": q.Headers, "alpn": q.ALPN}
	for name, value := range map[string]string{"method": q.Method, "clientIP": q.ClientIP, "entryPoint": q.EntryPoint} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return e, c.call(ctx, http.MethodGet, "/explain", query, nil, &e)
}

func list[T any](ctx context.Context, c *Client, path string, f Filter) ([]T, error) {
	var l List[T]
	err := c.call(ctx, http.MethodGet, path, f.query(), nil, &l)
	return l.Items, err
}

// call makes a request and decodes the answer; out is nil where none is expected.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := c.send(ctx, method, path, query, in)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("reading the answer of %s: %w", c.url, err)
	case len(body) > maxAnswer:
		return fmt.Errorf("the answer of %s is larger than %d MiB", c.url, maxAnswer>>20)
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("%s does not answer as the API does: %w", c.url, err)
	}
	return nil
}

// send makes a request. The answer is a good one; its body is to be closed.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	target := c.url + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", c.url, err)
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	answer, err := c.http.Do(r)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // without the URL: what is to be explained may hold secrets
		}
		return nil, fmt.Errorf("asking %s: %w", c.url, err)
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		defer func() { _ = answer.Body.Close() }()
		return nil, refusal(answer)
	}
	return answer, nil
}

// refusal is the error that an answer tells of.
func refusal(answer *http.Response) *Error {
	body, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	told := new(Error)
	if json.Unmarshal(body, told) != nil || told.Status != answer.StatusCode {
		told = &Error{Status: answer.StatusCode}
	}
	told.Title = cmp.Or(told.Title, http.StatusText(answer.StatusCode), answer.Status)
	return told
}
