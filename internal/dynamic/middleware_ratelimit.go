package dynamic

import (
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

type rateLimit struct {
	Average         int           `doc:"average"`
	Period          time.Duration `doc:"period"`
	Burst           int           `doc:"burst"`
	SourceCriterion criterion     `doc:"sourceCriterion"`
	Redis           *redis        `doc:"redis"`
}

func (*rateLimit) gaps() []gap { return nil }

func (l *rateLimit) build(at place, m *model.Middleware) {
	if l.Average < 0 {
		at.in("average").invalid("%d is negative", l.Average)
	}
	if l.Burst < 0 {
		at.in("burst").invalid("%d is negative", l.Burst)
	}
	at.in("period").notNegative(l.Period)
	m.RateLimit = &model.RateLimit{
		Average: l.Average, Period: l.Period, Burst: l.Burst,
		Criterion: at.in("sourceCriterion").criterion(&l.SourceCriterion),
		Redis:     at.in("redis").redis(l.Redis),
	}
}
