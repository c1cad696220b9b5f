package dynamic

import "github.com/fairlead/fairlead/internal/model"

type chain struct {
	Middlewares []string `doc:"middlewares"`
}

func (*chain) gaps() []gap { return nil }

func (c *chain) build(at place, m *model.Middleware) {
	if len(c.Middlewares) == 0 {
		at.in("middlewares").invalid("name at least one middleware")
	}
	m.Chain = &model.Chain{}
	for i, name := range c.Middlewares {
		m.Chain.Middlewares = append(m.Chain.Middlewares, at.in("middlewares", i).ref(name))
	}
}
