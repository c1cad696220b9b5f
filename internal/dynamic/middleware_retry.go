package dynamic

import (
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

type retry struct {
	Attempts        int           `doc:"attempts"`
	InitialInterval time.Duration `doc:"initialInterval"`
}

func (*retry) gaps() []gap {
	return []gap{
		{"timeout", ignored}, {"maxRequestBodyBytes", ignored}, {"status", ignored},
		{"disableRetryOnNetworkError", ignored}, {"retryNonIdempotentMethod", ignored},
	}
}

func (r *retry) build(at place, m *model.Middleware) {
	const most = 100
	if r.Attempts < 1 || r.Attempts > most {
		at.in("attempts").invalid("say how often a request is tried, the first time included: from 1 to %d", most)
	}
	at.in("initialInterval").notNegative(r.InitialInterval)
	m.Retry = &model.Retry{Attempts: r.Attempts, InitialInterval: r.InitialInterval}
}
