package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// TraceOptions say what is told of requests to a collector of OpenTelemetry, and to which.
type TraceOptions struct {
	Collector Collector
	// Resource are the attributes of who tells: service.name is required.
	Resource map[string]string
	// SampleRate is the part of the traces that begin here that is told, from 0 to 1.
	SampleRate float64
	// RequestFields and AnswerFields are told, by their names.
	RequestFields, AnswerFields []string
	// SafeQuery are the parameters of queries whose values are told.
	SafeQuery []string
	Log       *slog.Logger
}

const (
	maxSpans   = 8192 // that wait to be told; what comes above is dropped
	batchSpans = 512  // that are worth a message at once
	spanDelay  = time.Second
	// tellTimeout bounds the telling of one batch, tries included.
	tellTimeout = 10 * time.Second
	// lastTimeout bounds the telling of what is left at the end.
	lastTimeout = 3 * time.Second
)

// Traces tells a collector of exchanges that are traced. Begin and Served may be called by many goroutines; Run tells
// what they hand over.
//
// The spans are made of the exchange when it is over, in the form in which they are sent. So a request that is not told
// costs two random numbers, and one whose trace is told waits for nothing.
type Traces struct {
	client        otlptrace.Client
	closeClient   func()
	resource      *resource.Resource
	rate          float64
	requestFields []field
	answerFields  []field
	safe          map[string]bool
	log           *slog.Logger

	told    atomic.Uint64
	dropped atomic.Uint64
	some    chan struct{} // there is something to tell
	much    chan struct{} // there is so much that it should not wait

	mu      sync.Mutex
	pending []*tracepb.Span
}

// NewTraces returns what tells the collector, once Run runs. The collector need not be there.
func NewTraces(o TraceOptions) (*Traces, error) {
	t := &Traces{
		rate: o.SampleRate, log: o.Log, safe: make(map[string]bool),
		requestFields: fieldsOf(o.RequestFields, "http.request.header."),
		answerFields:  fieldsOf(o.AnswerFields, "http.response.header."),
		some:          make(chan struct{}, 1), much: make(chan struct{}, 1),
	}
	for _, key := range o.SafeQuery {
		t.safe[key] = true
	}
	t.resource = resourceOf(o.Resource)
	var err error
	if t.client, t.closeClient, err = o.Collector.client(); err != nil {
		return nil, err
	}
	if err := t.client.Start(context.Background()); err != nil {
		return nil, fmt.Errorf("opening the way to the collector of traces: %w", err)
	}
	return t, nil
}

// Told returns how many spans the collector took so far.
func (t *Traces) Told() uint64 { return t.told.Load() }

// Dropped returns how many spans were lost so far.
func (t *Traces) Dropped() uint64 { return t.dropped.Load() }

// Served hands the spans of an exchange over to Run, or drops them when too many wait already. It never blocks, and
// does not keep x.
func (t *Traces) Served(x *Exchange) {
	if x.Trace == nil || !x.Trace.Sampled {
		return
	}
	waiting := t.add(x.spans())
	if waiting > 0 {
		notify(t.some)
	}
	if waiting >= batchSpans {
		notify(t.much)
	}
}

// add returns how many spans wait now; 0 when these were dropped.
func (t *Traces) add(spans []*tracepb.Span) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.pending)+len(spans) > maxSpans {
		t.dropped.Add(uint64(len(spans)))
		return 0
	}
	t.pending = append(t.pending, spans...)
	return len(t.pending)
}

// take returns spans that wait, no more than fit into a message.
func (t *Traces) take() []*tracepb.Span {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := min(len(t.pending), batchSpans)
	batch := t.pending[:n:n]
	if t.pending = t.pending[n:]; len(t.pending) == 0 {
		t.pending = nil
	}
	return batch
}

// Run tells the collector, at most a second after a request was answered, until ctx is done; then it tells what is left
// and returns nil. What the collector does not take is dropped, and told in the log once.
func (t *Traces) Run(ctx context.Context) error {
	defer t.close()
	delay := time.NewTimer(spanDelay)
	defer delay.Stop()
	well := true
	for {
		select {
		case <-ctx.Done():
			t.tellLast()
			return nil
		case <-t.some:
		}
		delay.Reset(spanDelay)
		select {
		case <-ctx.Done():
		case <-delay.C:
		case <-t.much:
		}
		well = t.tellAll(ctx, well)
	}
}

// tellAll tells all that waits, and returns whether the collector took the last of it.
func (t *Traces) tellAll(ctx context.Context, well bool) bool {
	for ctx.Err() == nil {
		batch := t.take()
		if len(batch) == 0 {
			break
		}
		err := t.tell(ctx, batch, tellTimeout)
		switch {
		case err != nil && well:
			t.log.Warn("the collector does not take traces; they are dropped until it does", "error", err)
		case err == nil && !well:
			t.log.Info("the collector takes traces again")
		}
		well = err == nil
	}
	return well
}

// tellLast tells what is left, as far as there is time.
func (t *Traces) tellLast() {
	ctx, cancel := context.WithTimeout(context.Background(), lastTimeout)
	defer cancel()
	for batch := t.take(); len(batch) > 0; batch = t.take() {
		if err := t.tell(ctx, batch, lastTimeout); err != nil {
			t.log.Warn("the last traces are lost", "error", err)
		}
	}
}

func (t *Traces) tell(ctx context.Context, batch []*tracepb.Span, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := t.client.UploadTraces(ctx, []*tracepb.ResourceSpans{{
		Resource:   t.resource,
		ScopeSpans: []*tracepb.ScopeSpans{{Scope: &common.InstrumentationScope{Name: "fairlead"}, Spans: batch}},
	}})
	if err != nil {
		t.dropped.Add(uint64(len(batch)))
		return err
	}
	t.told.Add(uint64(len(batch)))
	return nil
}

// close gives back what the way to the collector holds.
func (t *Traces) close() {
	ctx, cancel := context.WithTimeout(context.Background(), lastTimeout)
	defer cancel()
	if err := t.client.Stop(ctx); err != nil {
		t.log.Warn("closing the way to the collector of traces", "error", err)
	}
	t.closeClient()
}
