package config

import "net/url"

// Tracing tells a collector of OpenTelemetry of requests.
type Tracing struct {
	ServiceName            string            `doc:"serviceName"` // default: "fairlead"
	ResourceAttributes     map[string]string `doc:"resourceAttributes"`
	CapturedRequestHeaders []string          `doc:"capturedRequestHeaders"`
	CapturedAnswerHeaders  []string          `doc:"capturedResponseHeaders"`
	SafeQueryParams        []string          `doc:"safeQueryParams"`
	SampleRate             float64           `doc:"sampleRate"` // the part of the traces that begin here; default: 1
	AddInternals           bool              `doc:"addInternals"`
	OTLP                   OTLP              `doc:"otlp"`
}

// OTLP is how the collector is reached: over one of the two. Load sets HTTP where the file says nothing.
type OTLP struct {
	HTTP *OTLPHTTP `doc:"http"`
	GRPC *OTLPGRPC `doc:"grpc"`
}

// OTLPHTTP reaches a collector over HTTP.
type OTLPHTTP struct {
	Endpoint string            `doc:"endpoint"` // default: "https://localhost:4318/v1/traces"
	Headers  map[string]Header `doc:"headers"`
	TLS      *ClientTLS        `doc:"tls"` // nil: the system's roots
}

// OTLPGRPC reaches a collector over gRPC.
type OTLPGRPC struct {
	Endpoint string            `doc:"endpoint"` // default: "localhost:4317"
	Insecure bool              `doc:"insecure"` // in plain text
	Headers  map[string]Header `doc:"headers"`
	TLS      *ClientTLS        `doc:"tls"` // nil: the system's roots
}

// Header is the value of a field: as it stands, or, where it may be secret, where it is kept.
type Header struct {
	Text string
	Kept KeyRef // zero: it is Text
}

// UnmarshalText reads "file:/path", "env:NAME", or the value.
func (h *Header) UnmarshalText(text []byte) error {
	if h.Kept.UnmarshalText(text) != nil {
		h.Text = string(text)
	}
	return nil
}

// tracing reads what is told to a collector. Nil: nothing is.
func (l *loader) tracing(p part) *Tracing {
	if !p.given() {
		return nil
	}
	t := &Tracing{ServiceName: "fairlead", SampleRate: 1}
	l.decode(p, t)
	if !(t.SampleRate >= 0 && t.SampleRate <= 1) { // nor is it what is no number
		l.wrong(p.key("sampleRate"), "%v is no part of the traces; write a number from 0 to 1", t.SampleRate)
	}
	if t.AddInternals {
		l.wrong(p.key("addInternals"), "the instance's own requests are not traced; remove it")
	}
	otlp := p.key("otlp")
	if t.OTLP.HTTP != nil && t.OTLP.GRPC != nil {
		l.wrong(otlp, "there is one collector; give http or grpc")
	}
	if t.OTLP.HTTP == nil && t.OTLP.GRPC == nil {
		t.OTLP.HTTP = new(OTLPHTTP)
	}
	if t.OTLP.HTTP != nil {
		l.httpCollector(otlp.key("http"), t.OTLP.HTTP)
	}
	if t.OTLP.GRPC != nil {
		l.grpcCollector(otlp.key("grpc"), t.OTLP.GRPC)
	}
	return t
}

func (l *loader) httpCollector(p part, o *OTLPHTTP) {
	if o.Endpoint == "" {
		o.Endpoint = "https://localhost:4318/v1/traces"
	}
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		l.wrong(p.key("endpoint"), `%q is no URL of a collector; write for example "http://localhost:4318/v1/traces"`,
			shorten(o.Endpoint))
	}
	l.headers(o.Headers)
	l.clientTLS(p.key("tls"), o.TLS)
}

func (l *loader) grpcCollector(p part, o *OTLPGRPC) {
	if o.Endpoint == "" {
		o.Endpoint = "localhost:4317"
	}
	if !isDial(o.Endpoint) {
		l.wrong(p.key("endpoint"), `%q is no address of a collector; write for example "localhost:4317"`,
			shorten(o.Endpoint))
	}
	if o.Insecure && o.TLS != nil {
		l.wrong(p.key("tls"), "insecure is plain text, which needs no tls; remove one of them")
	}
	l.headers(o.Headers)
	l.clientTLS(p.key("tls"), o.TLS)
}

// headers makes the paths of those that are kept in files absolute.
func (l *loader) headers(headers map[string]Header) {
	for name, h := range headers {
		l.absolute(&h.Kept.File)
		headers[name] = h
	}
}
