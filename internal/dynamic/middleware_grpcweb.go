package dynamic

import "github.com/fairlead/fairlead/internal/model"

type grpcWeb struct {
	AllowOrigins []string `doc:"allowOrigins"`
}

func (*grpcWeb) gaps() []gap { return nil }

func (g *grpcWeb) build(at place, m *model.Middleware) {
	at.in("allowOrigins").fieldValues(g.AllowOrigins)
	m.GRPCWeb = &model.GRPCWeb{AllowOrigins: g.AllowOrigins}
}
