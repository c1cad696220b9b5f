package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/telemetry"
)

// openTelemetry opens what is told of requests, beside the metrics: the access log and the traces.
func (i *instance) openTelemetry(o *proxy.Options) error {
	if a := i.config.AccessLog; a != nil {
		out, err := i.openAccessLog(a.FilePath)
		if err != nil {
			return err
		}
		if i.accessLog, err = telemetry.NewAccessLog(out, a.Format); err != nil {
			return err
		}
		i.metrics.WatchAccessLog(i.accessLog)
		o.Observers = append(o.Observers, i.accessLog)
	}
	if t := i.config.Tracing; t != nil {
		var err error
		if i.traces, err = i.openTraces(t); err != nil {
			return fmt.Errorf("opening traces: %w", err)
		}
		i.metrics.WatchTraces(i.traces)
		o.Traces, o.Observers = i.traces, append(o.Observers, i.traces)
	}
	return nil
}

func (i *instance) openAccessLog(path string) (io.Writer, error) {
	if path == "" {
		return os.Stdout, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, fmt.Errorf("opening the access log: %w", err)
	}
	i.accessFile = f
	return f, nil
}

func (i *instance) openTraces(t *config.Tracing) (*telemetry.Traces, error) {
	collector, err := collectorOf(t.OTLP)
	if err != nil {
		return nil, err
	}
	resource := map[string]string{
		"service.name": t.ServiceName, "service.version": version, "fairlead.instance": i.config.Cluster,
	}
	if host, err := os.Hostname(); err == nil {
		resource["host.name"] = host
	}
	maps.Copy(resource, t.ResourceAttributes)
	return telemetry.NewTraces(telemetry.TraceOptions{
		Collector: collector, Resource: resource, SampleRate: t.SampleRate,
		RequestFields: t.CapturedRequestHeaders, AnswerFields: t.CapturedAnswerHeaders, SafeQuery: t.SafeQueryParams,
		Log: i.log,
	})
}

func collectorOf(o config.OTLP) (c telemetry.Collector, err error) {
	var headers map[string]config.Header
	var terms *config.ClientTLS
	if g := o.GRPC; g != nil {
		c = telemetry.Collector{GRPC: true, Endpoint: g.Endpoint, Insecure: g.Insecure}
		headers, terms = g.Headers, g.TLS
	} else {
		c.Endpoint, headers, terms = o.HTTP.Endpoint, o.HTTP.Headers, o.HTTP.TLS
	}
	c.Headers = make(map[string]string, len(headers))
	for name, h := range headers {
		kept, err := secret(h.Kept)
		if err != nil {
			return c, fmt.Errorf("reading what the field %s says: %w", name, err)
		}
		c.Headers[name] = cmp.Or(kept, h.Text)
	}
	c.TLS, err = clientTLS(terms)
	return c, err
}
