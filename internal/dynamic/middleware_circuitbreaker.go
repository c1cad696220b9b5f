package dynamic

import (
	"errors"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

type circuitBreaker struct {
	Expression       string        `doc:"expression"`
	CheckPeriod      time.Duration `doc:"checkPeriod"`
	FallbackDuration time.Duration `doc:"fallbackDuration"`
	RecoveryDuration time.Duration `doc:"recoveryDuration"`
	ResponseCode     int           `doc:"responseCode"`
}

func (*circuitBreaker) gaps() []gap { return nil }

func (c *circuitBreaker) build(at place, m *model.Middleware) {
	at.in("checkPeriod").notNegative(c.CheckPeriod)
	at.in("fallbackDuration").notNegative(c.FallbackDuration)
	at.in("recoveryDuration").notNegative(c.RecoveryDuration)
	if c.ResponseCode != 0 && !model.IsAnswer(c.ResponseCode) {
		at.in("responseCode").invalid("%d is not the status of an answer", c.ResponseCode)
	}
	if c.Expression == "" {
		at.in("expression").invalid("say when to stop sending requests, such as NetworkErrorRatio() > 0.3")
	}
	m.CircuitBreaker = &model.CircuitBreaker{
		Condition:   at.in("expression").condition(c.Expression, breakerMetrics()),
		CheckPeriod: c.CheckPeriod, Fallback: c.FallbackDuration, Recovery: c.RecoveryDuration, Status: c.ResponseCode,
	}
}

func breakerMetrics() metrics {
	return metrics{
		"NetworkErrorRatio": {},
		"ResponseCodeRatio": {args: 4, check: func(args []float64) error {
			if args[0] >= args[1] || args[2] >= args[3] {
				return errors.New("takes from, to, and from, to of the whole; to is exclusive, as in (500, 600, 0, 600)")
			}
			return nil
		}},
		"LatencyAtQuantileMS": {args: 1, check: func(args []float64) error {
			if args[0] > 100 {
				return errors.New("the quantile is in percent, such as 50.0")
			}
			return nil
		}},
	}
}
