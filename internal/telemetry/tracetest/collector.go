// Package tracetest has a collector of OpenTelemetry for tests: it takes traces over HTTP and gRPC, and keeps them.
package tracetest

import (
	"cmp"
	"compress/gzip"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // what exporters compress with
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// Collector keeps what it is told.
type Collector struct {
	collector.UnimplementedTraceServiceServer
	HTTP string // the address for OTLP over HTTP
	GRPC string // the address for OTLP over gRPC

	http *http.Server
	grpc *grpc.Server
	done sync.WaitGroup

	mu    sync.Mutex
	spans []Span
}

// Span is one that was told, by whom.
type Span struct {
	*tracepb.Span
	Resource map[string]string
	Header   http.Header // that the message came with
}

// New returns a collector that listens on addresses of this host that are free.
func New(host string) (*Collector, error) {
	c := new(Collector)
	h, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, err
	}
	g, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		_ = h.Close()
		return nil, err
	}
	c.HTTP, c.GRPC = h.Addr().String(), g.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", c.serve)
	c.http, c.grpc = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}, grpc.NewServer()
	collector.RegisterTraceServiceServer(c.grpc, c)
	c.done.Go(func() { _ = c.http.Serve(h) })
	c.done.Go(func() { _ = c.grpc.Serve(g) })
	return c, nil
}

// Close ends the collector.
func (c *Collector) Close() {
	_ = c.http.Close()
	c.grpc.Stop()
	c.done.Wait()
}

func (c *Collector) serve(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unzipped
	}
	data, err := io.ReadAll(body)
	request := new(collector.ExportTraceServiceRequest)
	if err == nil {
		err = proto.Unmarshal(data, request)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.add(request, r.Header)
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// Export is part of collector.TraceServiceServer.
func (c *Collector) Export(
	ctx context.Context, request *collector.ExportTraceServiceRequest,
) (*collector.ExportTraceServiceResponse, error) {
	header := make(http.Header)
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		for key, values := range md {
			header[http.CanonicalHeaderKey(key)] = values
		}
	}
	c.add(request, header)
	return new(collector.ExportTraceServiceResponse), nil
}

func (c *Collector) add(request *collector.ExportTraceServiceRequest, header http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, from := range request.ResourceSpans {
		resource := Texts(from.Resource.GetAttributes())
		for _, scope := range from.ScopeSpans {
			for _, span := range scope.Spans {
				c.spans = append(c.spans, Span{span, resource, header})
			}
		}
	}
}

// Spans returns what was told so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Texts returns attributes as text.
func Texts(list []*common.KeyValue) map[string]string {
	texts := make(map[string]string, len(list))
	for _, a := range list {
		switch v := a.Value.Value.(type) {
		case *common.AnyValue_StringValue:
			texts[a.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			texts[a.Key] = strconv.FormatInt(v.IntValue, 10)
		case *common.AnyValue_BoolValue:
			texts[a.Key] = strconv.FormatBool(v.BoolValue)
		case *common.AnyValue_ArrayValue:
			var items []string
			for _, item := range v.ArrayValue.Values {
				items = append(items, item.GetStringValue())
			}
			texts[a.Key] = "[" + strings.Join(items, " ") + "]"
		}
	}
	return texts
}

// Tree writes traces as text: a line for each span, below that of its parent, with the attributes that are asked for.
// The traces, and the spans below one, are in the order in which they began.
func Tree(spans []Span, attributes ...string) string {
	spans = slices.SortedStableFunc(slices.Values(spans), func(a, b Span) int {
		return cmp.Compare(a.StartTimeUnixNano, b.StartTimeUnixNano)
	})
	known := make(map[string]bool)
	for _, s := range spans {
		known[string(s.SpanId)] = true
	}
	var b strings.Builder
	var write func(parent string, depth int)
	line := func(s Span, depth int) {
		texts := Texts(s.Attributes)
		fmt.Fprintf(&b, "%s%s %s", strings.Repeat("  ", depth), kind(s), s.Name)
		for _, key := range attributes {
			text, ok := texts[key]
			if !ok {
				text = s.Resource[key]
			}
			if text != "" {
				fmt.Fprintf(&b, " %s=%s", key[strings.LastIndexByte(key, '.')+1:], text)
			}
		}
		b.WriteByte('\n')
		write(string(s.SpanId), depth+1)
	}
	write = func(parent string, depth int) {
		for _, s := range spans {
			if string(s.ParentSpanId) == parent && parent != "" {
				line(s, depth)
			}
		}
	}
	for _, s := range spans {
		switch parent := string(s.ParentSpanId); {
		case parent == "":
			line(s, 0)
		case !known[parent]:
			fmt.Fprintf(&b, "of %s-%s:\n", hex.EncodeToString(s.TraceId), hex.EncodeToString(s.ParentSpanId))
			line(s, 1)
		}
	}
	return b.String()
}

func kind(s Span) string {
	return strings.TrimPrefix(s.Kind.String(), "SPAN_KIND_")
}
