package dynamic

import "github.com/fairlead/fairlead/internal/model"

type contentType struct {
	AutoDetect *bool `doc:"autoDetect"` // of Traefik v2: the type is detected, unless this is false
}

func (*contentType) gaps() []gap { return nil }

func (c *contentType) build(at place, m *model.Middleware) {
	if c.AutoDetect != nil && !*c.AutoDetect {
		at.in("autoDetect").invalid("to detect is all that this middleware does; leave the middleware out")
	}
	m.ContentType = &model.ContentType{}
}
