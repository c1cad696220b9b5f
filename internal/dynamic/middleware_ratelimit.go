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
}

// criterion says what counts as one client.
type criterion struct {
	IPStrategy        *ipStrategy `doc:"ipStrategy"`
	RequestHeaderName string      `doc:"requestHeaderName"`
	RequestHost       bool        `doc:"requestHost"`
}

func (*rateLimit) gaps() []gap { return []gap{{"redis", ignored}} } // each instance then counts for itself

func (l *rateLimit) build(at place, m *model.Middleware) {
	if l.Average < 0 {
		at.in("average").invalid("%d is negative", l.Average)
	}
	if l.Burst < 0 {
		at.in("burst").invalid("%d is negative", l.Burst)
	}
	at.in("period").notNegative(l.Period)
	r := &model.RateLimit{Average: l.Average, Period: l.Period, Burst: l.Burst}
	at.in("sourceCriterion").criterion(&l.SourceCriterion, r)
	m.RateLimit = r
}

func (p place) criterion(c *criterion, r *model.RateLimit) {
	given := 0
	for _, is := range []bool{c.IPStrategy != nil, c.RequestHeaderName != "", c.RequestHost} {
		if is {
			given++
		}
	}
	if given > 1 {
		p.invalid("give one of ipStrategy, requestHeaderName and requestHost")
	}
	r.ByHeader = p.in("requestHeaderName").headerName(c.RequestHeaderName)
	r.ByHost = c.RequestHost
	if s := c.IPStrategy; s != nil {
		r.Depth, r.Excluded = p.in("ipStrategy").ipStrategy(s)
		r.IPv6Subnet = s.IPv6Subnet
		if s.IPv6Subnet < 0 || s.IPv6Subnet > 128 {
			p.in("ipStrategy", "ipv6Subnet").invalid("%d is no prefix length; it is from 0 to 128", s.IPv6Subnet)
		}
	}
}
