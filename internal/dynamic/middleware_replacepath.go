package dynamic

import (
	"net/url"
	"strings"

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

type replacePathRegex struct {
	Regex       string `doc:"regex"`
	Replacement string `doc:"replacement"`
}

func (*replacePathRegex) gaps() []gap { return nil }

func (r *replacePathRegex) build(at place, m *model.Middleware) {
	m.ReplacePathRegex = &model.ReplacePathRegex{
		Regex: at.in("regex").regex(r.Regex), Replacement: strings.TrimSpace(r.Replacement),
	}
}
