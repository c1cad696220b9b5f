package dynamic

import (
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// tcpMiddleware is one entry of tcp.middlewares.
type tcpMiddleware struct {
	IPAllowList  *tcpIPAllowList `doc:"ipAllowList"`
	IPWhiteList  *tcpIPAllowList `doc:"ipWhiteList"` // its name before
	InFlightConn *inFlightConn   `doc:"inFlightConn"`
	RateLimit    *tcpRateLimit   `doc:"rateLimit"`
}

type tcpIPAllowList struct {
	SourceRange []string `doc:"sourceRange"`
}

type inFlightConn struct {
	Amount int64 `doc:"amount"`
}

// tcpRateLimit is the part of HTTP's that a connection can be asked for.
type tcpRateLimit struct {
	Average    int           `doc:"average"`
	Period     time.Duration `doc:"period"`
	Burst      int           `doc:"burst"`
	IPv6Subnet int           `doc:"ipv6Subnet"` // prefix length that counts as one client
}

func (tcpMiddleware) gaps() []gap { return nil }

func (o *object) tcpMiddleware(spec *tcpMiddleware) *model.Middleware {
	m := &model.Middleware{Name: o.ref.Name, Source: o.ref.Source, Lane: model.LaneTCP}
	kinds := 0
	for _, list := range []struct {
		name string
		spec *tcpIPAllowList
	}{{"ipAllowList", spec.IPAllowList}, {"ipWhiteList", spec.IPWhiteList}} {
		if list.spec != nil {
			kinds++
			m.IPAllowList = o.in(list.name).tcpIPAllowList(list.spec)
		}
	}
	if s := spec.InFlightConn; s != nil {
		kinds++
		if s.Amount < 0 {
			o.in("inFlightConn", "amount").invalid("%d is negative", s.Amount)
		}
		m.InFlightConn = &model.InFlightConn{Amount: s.Amount}
	}
	if s := spec.RateLimit; s != nil {
		kinds++
		m.RateLimit = o.in("rateLimit").tcpRateLimit(s)
	}
	if kinds != 1 {
		o.in().invalid("say what the middleware does, with one of ipAllowList, inFlightConn and rateLimit")
	}
	return m
}

func (p place) tcpIPAllowList(spec *tcpIPAllowList) *model.IPAllowList {
	if len(spec.SourceRange) == 0 {
		p.in("sourceRange").invalid("nobody could be admitted; give addresses or ranges")
	}
	return &model.IPAllowList{Ranges: p.in("sourceRange").addresses(spec.SourceRange)}
}

func (p place) tcpRateLimit(spec *tcpRateLimit) *model.RateLimit {
	r := &model.RateLimit{Average: spec.Average, Period: spec.Period, Burst: spec.Burst}
	r.IPv6Subnet = spec.IPv6Subnet
	if spec.Average < 0 {
		p.in("average").invalid("%d is negative", spec.Average)
	}
	if spec.Burst < 0 {
		p.in("burst").invalid("%d is negative", spec.Burst)
	}
	p.in("period").notNegative(spec.Period)
	if spec.IPv6Subnet < 0 || spec.IPv6Subnet > 128 {
		p.in("ipv6Subnet").invalid("%d is no prefix length; it is from 0 to 128", spec.IPv6Subnet)
	}
	return r
}
