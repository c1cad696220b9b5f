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

func (*ipAllowList) gaps() []gap { return nil }

func (l *ipAllowList) build(at place, m *model.Middleware) {
	a := &model.IPAllowList{Ranges: at.in("sourceRange").addresses(l.SourceRange), Status: l.RejectStatusCode}
	a.ClientAddress = at.in("ipStrategy").ipStrategy(&l.IPStrategy)
	if len(l.SourceRange) == 0 {
		at.in("sourceRange").invalid("nobody could be admitted; give addresses or ranges")
	}
	if l.RejectStatusCode != 0 && http.StatusText(l.RejectStatusCode) == "" {
		at.in("rejectStatusCode").invalid("%d is no status code", l.RejectStatusCode)
	}
	m.IPAllowList = a
}

// ipWhiteList is the name that ipAllowList had in Traefik v2.
type ipWhiteList struct{ ipAllowList }

func (l *ipWhiteList) build(at place, m *model.Middleware) {
	at.deprecated("the middleware is called ipAllowList now")
	l.ipAllowList.build(at, m)
}
