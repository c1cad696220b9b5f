package middleware

import (
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// reach remembers whether a server answers that requests depend on.
type reach struct {
	of    model.Ref
	field string // that names the server

	mu   sync.Mutex
	away time.Time // since when it gives no good answer; zero: it does
}

// note takes down whether the last question was answered.
func (r *reach) note(answered bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case answered:
		r.away = time.Time{}
	case r.away.IsZero():
		r.away = time.Now()
	}
}

func (r *reach) problem() (model.Problem, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return model.Problem{
		Object: model.Object{Kind: model.KindMiddleware, Ref: r.of}, Field: r.field, Code: model.Unreachable,
		Message: "the server gave no good answer when it was asked last; requests that need one are answered 503",
		Since:   r.away,
	}, !r.away.IsZero()
}
