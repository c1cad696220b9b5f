package dynamic

import "github.com/fairlead/fairlead/internal/model"

type addPrefix struct {
	Prefix string `doc:"prefix"`
}

func (*addPrefix) gaps() []gap { return nil }

func (a *addPrefix) build(at place, m *model.Middleware) {
	m.AddPrefix = &model.AddPrefix{Prefix: at.in("prefix").requestPath(a.Prefix)}
}
