package dynamic

import (
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

type stripPrefix struct {
	Prefixes   []string `doc:"prefixes"`
	ForceSlash *bool    `doc:"forceSlash"` // nil is true: an empty path becomes "/"
}

func (*stripPrefix) gaps() []gap { return nil }

func (s *stripPrefix) build(at place, m *model.Middleware) {
	if len(s.Prefixes) == 0 {
		at.in("prefixes").invalid("give at least one prefix")
	}
	for i, prefix := range s.Prefixes {
		if !strings.HasPrefix(prefix, "/") {
			at.in("prefixes", i).invalid(`the prefix %q does not begin with "/"`, prefix)
		}
	}
	m.StripPrefix = &model.StripPrefix{Prefixes: s.Prefixes, KeepEmpty: s.ForceSlash != nil && !*s.ForceSlash}
}
