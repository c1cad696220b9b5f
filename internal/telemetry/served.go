package telemetry

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// exchangeLabels are what exchanges are told apart by.
type exchangeLabels struct {
	entryPoint, route, service, cluster, reason string
	class                                       statusClass
}

// exchangeSeries are the counters for one combination of labels, found once: a lookup by label costs more than all the
// counting.
type exchangeSeries struct {
	requests, requestBody, responseBody, retries prometheus.Counter
	duration                                     prometheus.Observer
	ownAnswers                                   prometheus.Counter // nil where the service answered
}

// Served counts an exchange. It does not keep x.
func (m *Metrics) Served(x *Exchange) {
	if x.Lane != "" {
		m.servedStream(x)
		return
	}
	if x.Unmeasured {
		return
	}
	s := m.seriesOf(x)
	s.requests.Inc()
	s.duration.Observe(x.Duration.Seconds())
	if x.BytesIn > 0 {
		s.requestBody.Add(float64(x.BytesIn))
	}
	if x.BytesOut > 0 {
		s.responseBody.Add(float64(x.BytesOut))
	}
	if x.Attempts > 1 {
		s.retries.Add(float64(x.Attempts - 1))
	}
	if s.ownAnswers != nil {
		s.ownAnswers.Inc()
	}
}

func (m *Metrics) seriesOf(x *Exchange) *exchangeSeries {
	key := exchangeLabels{x.EntryPoint, x.Route, x.Service, x.Cluster, x.Reason, classOf(x.Status)}
	if s, ok := m.series.Load(key); ok {
		return s.(*exchangeSeries)
	}
	return makeSeries(m, &m.series, key, key.others(), (*Metrics).openExchange)
}

// makeSeries makes the counters for labels that are new; beyond maxSeries, those of all others together.
func makeSeries[Labels, Series any](
	m *Metrics, in *sync.Map, key, others Labels, open func(*Metrics, Labels) *Series,
) *Series {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known >= maxSeries {
		key = others
	}
	if s, ok := in.Load(key); ok { // made meanwhile, or one of the others
		return s.(*Series)
	}
	s := open(m, key)
	in.Store(key, s)
	m.known++
	return s
}

func (l exchangeLabels) others() exchangeLabels {
	l.route, l.service, l.cluster = other, other, other
	return l
}

func (m *Metrics) openExchange(key exchangeLabels) *exchangeSeries {
	s := &exchangeSeries{
		requests:     m.requests.WithLabelValues(key.entryPoint, key.route, key.service, key.cluster, key.class.String()),
		duration:     m.duration.WithLabelValues(key.service, key.cluster),
		requestBody:  m.requestBody.WithLabelValues(key.service, key.cluster),
		responseBody: m.responseBody.WithLabelValues(key.service, key.cluster),
		retries:      m.retries.WithLabelValues(key.service, key.cluster),
	}
	if key.reason != "" {
		s.ownAnswers = m.ownAnswers.WithLabelValues(key.entryPoint, key.service, key.reason)
	}
	return s
}

// statusClass is the first digit of a status. 0: no status that HTTP knows.
type statusClass uint8

func classOf(status int) statusClass {
	if status < 100 || status > 599 {
		return 0
	}
	return statusClass(status / 100)
}

// String returns "1xx" to "5xx", or "none".
func (c statusClass) String() string {
	return [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}[c]
}
