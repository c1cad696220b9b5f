package dynamic

import (
	"net/http"

	"github.com/fairlead/fairlead/internal/model"
)

type ipAllowList struct {
	SourceRange      []string   `doc:"sourceRange"`
	IPStrategy       ipStrategy `doc:"ipStrategy"`
	RejectStatusCode int        `doc:"rejectStatusCode"`
}

// ipStrategy says which address is the client's.
type ipStrategy struct {
	Depth       int      `doc:"depth"`
	ExcludedIPs []string `doc:"excludedIPs"`
	IPv6Subnet  int      `doc:"ipv6Subnet"`
}

func (*ipAllowList) gaps() []gap { return nil }

func (l *ipAllowList) build(at place, m *model.Middleware) {
	a := &model.IPAllowList{Ranges: at.in("sourceRange").addresses(l.SourceRange), Status: l.RejectStatusCode}
	a.Depth, a.Excluded = at.in("ipStrategy").ipStrategy(&l.IPStrategy)
	if len(l.SourceRange) == 0 {
		at.in("sourceRange").invalid("nobody could be admitted; give addresses or ranges")
	}
	if l.IPStrategy.IPv6Subnet != 0 {
		at.in("ipStrategy", "ipv6Subnet").unsupported(ignored)
	}
	if l.RejectStatusCode != 0 && http.StatusText(l.RejectStatusCode) == "" {
		at.in("rejectStatusCode").invalid("%d is no status code", l.RejectStatusCode)
	}
	m.IPAllowList = a
}

// ipStrategy returns depth and excluded; as documented, the second is not looked at where the first is given.
func (p place) ipStrategy(s *ipStrategy) (int, []string) {
	if s.Depth < 0 {
		p.in("depth").invalid("%d is negative", s.Depth)
	}
	excluded := p.in("excludedIPs").addresses(s.ExcludedIPs)
	if s.Depth > 0 {
		excluded = nil
	}
	return s.Depth, excluded
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
