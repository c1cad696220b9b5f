package telemetry

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/grpc/credentials"
)

// Collector is one of OpenTelemetry, and how it is reached.
type Collector struct {
	// GRPC speaks OTLP over gRPC, to an Endpoint that is host:port. Else it is OTLP over HTTP, and the Endpoint a URL; one
	// without a path means /v1/traces.
	GRPC     bool
	Endpoint string
	Headers  map[string]string // sent with each message; may be secret
	TLS      *tls.Config       // nil: the system's roots
	Insecure bool              // gRPC in plain text. HTTP is plain where the URL says so
}

// The times between tries to tell the collector, where it says that it can be tried again.
const (
	firstRetry = 500 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// client returns what sends spans, and what gives back what that holds.
func (c Collector) client() (client otlptrace.Client, end func(), err error) {
	if c.GRPC {
		o := []otlptracegrpc.Option{
			otlptracegrpc.WithEndpoint(c.Endpoint), otlptracegrpc.WithHeaders(c.Headers),
			otlptracegrpc.WithCompressor("gzip"), otlptracegrpc.WithTimeout(tellTimeout),
			otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{
				Enabled: true, InitialInterval: firstRetry, MaxInterval: lastRetry, MaxElapsedTime: tellTimeout,
			}),
		}
		if c.Insecure {
			o = append(o, otlptracegrpc.WithInsecure())
		} else {
			o = append(o, otlptracegrpc.WithTLSCredentials(credentials.NewTLS(c.TLS)))
		}
		return otlptracegrpc.NewClient(o...), func() {}, nil
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the collector's URL: %w", err)
	}
	if u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, nil, errors.New("the collector's URL begins with neither http:// nor https://")
	}
	path := u.Path
	if path == "" || path == "/" {
		path = "/v1/traces"
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: c.TLS, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute,
	}
	o := []otlptracehttp.Option{
		otlptracehttp.WithEndpoint(u.Host), otlptracehttp.WithURLPath(path), otlptracehttp.WithHeaders(c.Headers),
		otlptracehttp.WithCompression(otlptracehttp.GzipCompression),
		otlptracehttp.WithHTTPClient(&http.Client{Transport: transport, Timeout: tellTimeout}),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
			Enabled: true, InitialInterval: firstRetry, MaxInterval: lastRetry, MaxElapsedTime: tellTimeout,
		}),
	}
	if u.Scheme == "http" {
		o = append(o, otlptracehttp.WithInsecure())
	}
	return otlptracehttp.NewClient(o...), transport.CloseIdleConnections, nil
}

func resourceOf(texts map[string]string) *resource.Resource {
	r := new(resource.Resource)
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		r.Attributes = append(r.Attributes, &common.KeyValue{Key: key, Value: textValue(texts[key])})
	}
	return r
}
