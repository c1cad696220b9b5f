package dynamic

import (
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

type retry struct {
	Attempts            int           `doc:"attempts"`
	InitialInterval     time.Duration `doc:"initialInterval"`
	Timeout             time.Duration `doc:"timeout"`
	MaxRequestBodyBytes *int64        `doc:"maxRequestBodyBytes"`
	Status              []string      `doc:"status"`
	NoNetworkErrors     bool          `doc:"disableRetryOnNetworkError"`
	NonIdempotent       bool          `doc:"retryNonIdempotentMethod"`
}

func (*retry) gaps() []gap { return nil }

func (r *retry) build(at place, m *model.Middleware) {
	const most, mostBytes = 100, 64 << 20
	if r.Attempts < 1 || r.Attempts > most {
		at.in("attempts").invalid("say how often a request is tried, the first time included: from 1 to %d", most)
	}
	at.in("initialInterval").notNegative(r.InitialInterval)
	at.in("timeout").notNegative(r.Timeout)
	m.Retry = &model.Retry{
		Attempts: r.Attempts, InitialInterval: r.InitialInterval, Timeout: r.Timeout,
		Status: at.in("status").statusRanges(r.Status), AnswersOnly: r.NoNetworkErrors, AnyMethod: r.NonIdempotent,
	}
	if b := r.MaxRequestBodyBytes; b != nil && *b != -1 { // -1: no request is refused, and small ones are kept
		if *b < 0 || *b > mostBytes {
			at.in("maxRequestBodyBytes").invalid("%d is out of range; it is up to %d, or -1", *b, mostBytes)
		}
		m.Retry.MaxBodyBytes = *b
	}
	if r.NoNetworkErrors && len(r.Status) == 0 {
		at.in("status").invalid("with disableRetryOnNetworkError, say which answers are tried again, such as 500-599")
	}
}
