package dynamic

import "github.com/fairlead/fairlead/internal/model"

type requestID struct {
	Header string `doc:"header"`
	Keep   bool   `doc:"keep"`
}

func (*requestID) gaps() []gap { return nil }

func (r *requestID) build(at place, m *model.Middleware) {
	m.RequestID = &model.RequestID{Header: at.in("header").headerName(r.Header), Keep: r.Keep}
}
