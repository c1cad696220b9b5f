package dynamic

import (
	"net/url"

	"github.com/fairlead/fairlead/internal/model"
)

type replacePath struct {
	Path string `doc:"path"`
}

func (*replacePath) gaps() []gap { return nil }

func (r *replacePath) build(at place, m *model.Middleware) {
	m.ReplacePath = &model.ReplacePath{Path: at.in("path").requestPath(r.Path)}
	if _, err := url.PathUnescape(r.Path); err != nil {
		at.in("path").invalid("%q has a percent sign without two hexadecimal digits; write a real one as %%25", r.Path)
	}
}
