package dynamic

import (
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

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
