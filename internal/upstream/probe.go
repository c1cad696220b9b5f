package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// Direct is the prober of hosts that are dialled directly: an HTTP request, or a TCP connection where the check has no
// path.
type Direct struct {
	dialer     net.Dialer
	http1      *http.Client // HTTP/1.1, and HTTP/2 over TLS
	h2c        *http.Client // HTTP/2 in plain text
	tlsOrPlain *http.Protocols
	workload   model.Workload
}

// NewDirect returns a Direct that speaks TLS as config says; nil: with the system's roots. To services that want
// SPIFFE it is workload; nil: nobody.
func NewDirect(config *tls.Config, workload model.Workload) *Direct {
	d := &Direct{tlsOrPlain: new(http.Protocols), workload: workload}
	d.tlsOrPlain.SetHTTP1(true)
	d.tlsOrPlain.SetHTTP2(true)
	plain2 := new(http.Protocols)
	plain2.SetUnencryptedHTTP2(true)
	d.http1, d.h2c = d.client(config, d.tlsOrPlain), d.client(config, plain2)
	return d
}

func (d *Direct) client(config *tls.Config, protocols *http.Protocols) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: d.dialer.DialContext, TLSClientConfig: config, Protocols: protocols,
			DisableKeepAlives: true, // a check must show that new connections are accepted
			// A check needs the status only.
			DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
		},
	}
}

// Probe implements [Prober].
func (d *Direct) Probe(ctx context.Context, host ID, check model.HealthCheck) error {
	addr, err := checkAddr(host.Addr, check.Port)
	if err != nil {
		return err
	}
	if check.Path == "" && !check.GRPC {
		conn, err := d.dialer.DialContext(ctx, "tcp", addr)
		if err != nil {
			return fmt.Errorf("health check: %w", err)
		}
		defer func() { _ = conn.Close() }()
		return converse(ctx, conn, check)
	}
	client, err := d.clientFor(check)
	if err != nil {
		return fmt.Errorf("health check: %w", err)
	}
	if check.GRPC {
		return askGRPC(ctx, client, addr, check)
	}
	r, err := checkRequest(ctx, addr, check)
	if err != nil {
		return err
	}
	answer, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("health check: %w", withoutURL(err))
	}
	defer func() { _ = answer.Body.Close() }()
	if !accepted(answer.StatusCode, check.Status) {
		return fmt.Errorf("health check: status %d", answer.StatusCode)
	}
	return nil
}

// withoutURL returns the error without the URL, which may carry a secret.
func withoutURL(err error) error {
	if outer := (*url.Error)(nil); errors.As(err, &outer) {
		return outer.Err
	}
	return err
}

// clientFor returns what makes the requests of a check.
func (d *Direct) clientFor(check model.HealthCheck) (*http.Client, error) {
	client := d.http1
	switch {
	case check.Scheme == string(model.H2C), check.GRPC && check.Scheme != string(model.HTTPS):
		client = d.h2c
	case check.TLS != nil:
		identity, err := check.TLS.Config(d.workload)
		if err != nil {
			return nil, err
		}
		client = d.client(identity, d.tlsOrPlain) // checks are seldom
	}
	if check.Stay {
		stays := *client
		stays.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		client = &stays
	}
	return client, nil
}

// accepted reports whether the status is the one wanted; 0 wants any from 200 to 399.
func accepted(status, wanted int) bool {
	if wanted != 0 {
		return status == wanted
	}
	return status >= 200 && status <= 399
}

// checkAddr returns the address to dial: the host's, on the check's port if it has one.
func checkAddr(addr string, port int) (string, error) {
	if port == 0 {
		return addr, nil
	}
	name, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("health check: %w", err)
	}
	return net.JoinHostPort(name, strconv.Itoa(port)), nil
}

// checkRequest makes the request of an HTTP check.
func checkRequest(ctx context.Context, addr string, check model.HealthCheck) (*http.Request, error) {
	scheme := "http"
	if check.Scheme == string(model.HTTPS) {
		scheme = "https"
	}
	where, err := url.Parse(scheme + "://" + addr + "/" + strings.TrimPrefix(check.Path, "/"))
	if err != nil {
		return nil, fmt.Errorf("health check: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, check.Method, where.String(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("health check: %w", err)
	}
	r.Header.Set("User-Agent", "fairlead-health")
	for name, value := range check.Headers {
		r.Header.Set(name, value)
	}
	if check.Host != "" {
		r.Host = check.Host
	}
	return r, nil
}

// converse says what a TCP check has to say, and hears the answer.
func converse(ctx context.Context, conn net.Conn, check model.HealthCheck) error {
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	if check.Send != "" {
		if _, err := io.WriteString(conn, check.Send); err != nil {
			return fmt.Errorf("health check: %w", err)
		}
	}
	if check.Expect == "" {
		return nil
	}
	answer := make([]byte, len(check.Expect))
	if n, err := io.ReadFull(conn, answer); err != nil {
		return fmt.Errorf("health check: %w after %q, where %q is expected", err, answer[:n], check.Expect)
	}
	if string(answer) != check.Expect {
		return fmt.Errorf("health check: the answer begins with %q, not %q", answer, check.Expect)
	}
	return nil
}
