package telemetry

import "github.com/prometheus/client_golang/prometheus"

// streamLabels are what streams are told apart by.
type streamLabels struct{ lane, entryPoint, route, service, cluster, reason string }

// streamSeries are the counters for one combination of labels.
type streamSeries struct{ streams, received, sent prometheus.Counter }

func (m *Metrics) openStreamMetrics() {
	m.streams = m.counters("streams_total",
		"Connections and UDP sessions that have ended, with what they were refused or cut for (\"\": nothing).",
		"lane", "entry_point", "route", "service", "cluster", "reason")
	m.streamReceived = m.counters("stream_received_bytes_total", "Bytes that the clients of streams sent.",
		"lane", "service", "cluster")
	m.streamSent = m.counters("stream_sent_bytes_total", "Bytes that the clients of streams were sent.",
		"lane", "service", "cluster")
}

func (m *Metrics) servedStream(x *Exchange) {
	s := m.streamSeriesOf(x)
	s.streams.Inc()
	s.received.Add(float64(x.BytesIn))
	s.sent.Add(float64(x.BytesOut))
}

func (m *Metrics) streamSeriesOf(x *Exchange) *streamSeries {
	key := streamLabels{x.Lane, x.EntryPoint, x.Route, x.Service, x.Cluster, x.Reason}
	if s, ok := m.streamSeries.Load(key); ok {
		return s.(*streamSeries)
	}
	return makeSeries(m, &m.streamSeries, key, key.others(), (*Metrics).openStream)
}

func (l streamLabels) others() streamLabels {
	l.route, l.service, l.cluster = other, other, other
	return l
}

func (m *Metrics) openStream(key streamLabels) *streamSeries {
	return &streamSeries{
		streams:  m.streams.WithLabelValues(key.lane, key.entryPoint, key.route, key.service, key.cluster, key.reason),
		received: m.streamReceived.WithLabelValues(key.lane, key.service, key.cluster),
		sent:     m.streamSent.WithLabelValues(key.lane, key.service, key.cluster),
	}
}
