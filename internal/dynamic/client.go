package dynamic

import "github.com/fairlead/fairlead/internal/model"

// criterion says what counts as one client.
type criterion struct {
	IPStrategy        *ipStrategy `doc:"ipStrategy"`
	RequestHeaderName string      `doc:"requestHeaderName"`
	RequestHost       bool        `doc:"requestHost"`
}

// ipStrategy says which address is the client's.
type ipStrategy struct {
	Depth       int      `doc:"depth"`
	ExcludedIPs []string `doc:"excludedIPs"`
	IPv6Subnet  int      `doc:"ipv6Subnet"`
}

func (p place) criterion(c *criterion) model.Criterion {
	given := 0
	for _, is := range []bool{c.IPStrategy != nil, c.RequestHeaderName != "", c.RequestHost} {
		if is {
			given++
		}
	}
	if given > 1 {
		p.invalid("give one of ipStrategy, requestHeaderName and requestHost")
	}
	m := model.Criterion{ByHeader: p.in("requestHeaderName").headerName(c.RequestHeaderName), ByHost: c.RequestHost}
	if c.IPStrategy != nil {
		m.ClientAddress = p.in("ipStrategy").ipStrategy(c.IPStrategy)
	}
	return m
}

// ipStrategy takes over what is given; as documented, excludedIPs is not looked at where there is a depth.
func (p place) ipStrategy(s *ipStrategy) model.ClientAddress {
	if s.Depth < 0 {
		p.in("depth").invalid("%d is negative", s.Depth)
	}
	if s.IPv6Subnet < 0 || s.IPv6Subnet > 128 {
		p.in("ipv6Subnet").invalid("%d is no prefix length; it is from 0 to 128", s.IPv6Subnet)
	}
	excluded := p.in("excludedIPs").addresses(s.ExcludedIPs)
	if s.Depth > 0 {
		excluded = nil
	}
	return model.ClientAddress{Depth: s.Depth, Excluded: excluded, IPv6Subnet: s.IPv6Subnet}
}

func (p place) addresses(list []string) []string {
	var normal []string
	for i, text := range list {
		a, err := address(text)
		if err != nil {
			p.in(i).invalid("%s", err)
		}
		normal = append(normal, a)
	}
	return normal
}
