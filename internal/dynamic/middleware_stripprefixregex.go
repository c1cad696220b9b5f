package dynamic

import "github.com/fairlead/fairlead/internal/model"

type stripPrefixRegex struct {
	Regex []string `doc:"regex"`
}

func (*stripPrefixRegex) gaps() []gap { return nil }

func (s *stripPrefixRegex) build(at place, m *model.Middleware) {
	m.StripPrefixRegex = &model.StripPrefixRegex{}
	if len(s.Regex) == 0 {
		at.in("regex").invalid("give at least one regular expression")
	}
	for i, text := range s.Regex {
		m.StripPrefixRegex.Regex = append(m.StripPrefixRegex.Regex, at.in("regex", i).regex(text))
	}
}
