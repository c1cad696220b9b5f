package dynamic

import "github.com/fairlead/fairlead/internal/model"

type redirectRegex struct {
	Regex       string `doc:"regex"`
	Replacement string `doc:"replacement"`
	Permanent   bool   `doc:"permanent"`
}

func (*redirectRegex) gaps() []gap { return nil }

func (r *redirectRegex) build(at place, m *model.Middleware) {
	if r.Replacement == "" {
		at.in("replacement").invalid("say where clients are sent to, such as https://shop.example/${1}")
	}
	m.RedirectRegex = &model.RedirectRegex{
		Regex: at.in("regex").regex(r.Regex), Replacement: r.Replacement, Permanent: r.Permanent,
	}
}
