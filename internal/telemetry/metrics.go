package telemetry

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fairlead/fairlead/internal/model"
)

// maxSeries is how many combinations of route, service, cluster and so on are told apart over the life of the process.
const maxSeries = 100_000

// other is the label of what comes above maxSeries.
const other = "other"

// durationBuckets are in seconds: from a fast answer of a service near by to the patience of a person.
var durationBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// Metrics are the counters of one instance, in a registry of their own. They are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	requests     *prometheus.CounterVec
	duration     *prometheus.HistogramVec
	requestBody  *prometheus.CounterVec
	responseBody *prometheus.CounterVec
	retries      *prometheus.CounterVec
	ownAnswers   *prometheus.CounterVec

	streams        *prometheus.CounterVec
	streamReceived *prometheus.CounterVec
	streamSent     *prometheus.CounterVec

	connections *prometheus.GaugeVec
	refusedKeys *prometheus.CounterVec
	problems    *prometheus.GaugeVec
	connected   *prometheus.GaugeVec
	reconnects  *prometheus.CounterVec
	generations prometheus.Counter
	build       prometheus.Gauge

	series       sync.Map // exchangeLabels to *exchangeSeries
	streamSeries sync.Map // streamLabels to *streamSeries

	mu    sync.Mutex
	known int                 // entries of series
	codes map[model.Code]bool // that problems has
}

// NewMetrics returns metrics that are all zero, with those of the Go runtime and of the process beside them.
func NewMetrics() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), codes: map[model.Code]bool{}}
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.requests = m.counters("requests_total", "Requests that were answered, by the first digit of the status.",
		"entry_point", "route", "service", "cluster", "status")
	m.duration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "fairlead_request_duration_seconds", Help: "Time from a request's head to the last byte of its answer.",
		Buckets: durationBuckets,
	}, []string{"service", "cluster"})
	m.registry.MustRegister(m.duration)
	m.requestBody = m.counters("request_body_bytes_total", "Bytes of the bodies of requests.", "service", "cluster")
	m.responseBody = m.counters("response_body_bytes_total", "Bytes of the bodies of answers.", "service", "cluster")
	m.retries = m.counters("retries_total", "Attempts to send a request beyond the first.", "service", "cluster")
	m.ownAnswers = m.counters("own_answers_total", "Answers that were made here and not by a service, by reason.",
		"entry_point", "service", "reason")
	m.openStreamMetrics()
	m.connections = m.gauges("open_connections", "Connections of clients that are open.", "entry_point",
		"protocol")
	m.refusedKeys = m.counters("refused_keys_total", "API keys that were not accepted.", "where", "reason")
	m.problems = m.gauges("problems", "Things that are wrong with the configuration, by code.", "code")
	m.connected = m.gauges("link_connected", "1 while the link to a followed cluster is up, else 0.", "cluster")
	m.reconnects = m.counters("link_reconnects_total", "Links that came up again after they were lost.", "cluster")
	m.generations = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "fairlead_generations_total", Help: "Versions of the data plane that were made and served from.",
	})
	m.build = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "fairlead_generation_build_seconds", Help: "Time that it took to make the newest generation.",
	})
	m.registry.MustRegister(m.generations, m.build)
	return m
}

func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fairlead_" + name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "fairlead_" + name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

// Handler answers with all metrics, in the format that the client asks for.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// OpenConnections adds n, which may be negative, to the connections that clients have open on an entry point. protocol
// is one of a fixed list: "http1", "http2", "http3".
func (m *Metrics) OpenConnections(entryPoint, protocol string, n int) {
	m.connections.WithLabelValues(entryPoint, protocol).Add(float64(n))
}

// RefusedKey counts an API key that was not accepted. where is "link" or "api"; reason is a word of a fixed list, such
// as "unknown", "expired", "scope".
func (m *Metrics) RefusedKey(where, reason string) {
	m.refusedKeys.WithLabelValues(where, reason).Inc()
}

// Generation counts a new version of the data plane, and notes how long it took to make.
func (m *Metrics) Generation(build time.Duration) {
	m.generations.Inc()
	m.build.Set(build.Seconds())
}

// SetProblems replaces all that was known to be wrong.
func (m *Metrics) SetProblems(problems []model.Problem) {
	count := map[model.Code]int{}
	for _, p := range problems {
		count[p.Code]++
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for code := range m.codes { // those that are gone stay, as zero: an alert can then end
		if count[code] == 0 {
			m.problems.WithLabelValues(string(code)).Set(0)
		}
	}
	for code, n := range count {
		m.codes[code] = true
		m.problems.WithLabelValues(string(code)).Set(float64(n))
	}
}

// SetLink notes whether the link to a cluster is up.
func (m *Metrics) SetLink(cluster string, connected bool) {
	value := 0.0
	if connected {
		value = 1
	}
	m.connected.WithLabelValues(cluster).Set(value)
}

// LinkReconnected counts a link that came up again.
func (m *Metrics) LinkReconnected(cluster string) { m.reconnects.WithLabelValues(cluster).Inc() }

// ForgetLink ends the metrics of a cluster that is not followed any more.
func (m *Metrics) ForgetLink(cluster string) {
	m.connected.DeleteLabelValues(cluster)
	m.reconnects.DeleteLabelValues(cluster)
}

// WatchAccessLog counts the lines that l drops. It may be called once.
func (m *Metrics) WatchAccessLog(l *AccessLog) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "fairlead_access_log_dropped_total",
		Help: "Lines of the access log that were lost because it could not be written (fast enough).",
	}, func() float64 { return float64(l.Dropped()) }))
}

// WatchTraces counts the spans that t tells, and those that it drops. It may be called once.
func (m *Metrics) WatchTraces(t *Traces) {
	m.registry.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "fairlead_trace_spans_told_total", Help: "Spans of traces that the collector took.",
		}, func() float64 { return float64(t.Told()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "fairlead_trace_spans_dropped_total",
			Help: "Spans of traces that were lost because the collector did not take them (fast enough).",
		}, func() float64 { return float64(t.Dropped()) }),
	)
}
