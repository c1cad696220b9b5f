package dynamic

import (
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

type errorPages struct {
	Status         []string       `doc:"status"`
	StatusRewrites map[string]int `doc:"statusRewrites"`
	Service        string         `doc:"service"`
	Query          string         `doc:"query"`
}

func (*errorPages) gaps() []gap { return nil }

func (e *errorPages) build(at place, m *model.Middleware) {
	m.Errors = &model.Errors{Status: at.in("status").statusRanges(e.Status), Query: strings.TrimSpace(e.Query)}
	for _, text := range sortedKeys(e.StatusRewrites) {
		r, err := statusRange(text)
		if err != nil {
			at.in("statusRewrites").invalid("%s", err)
		}
		as := e.StatusRewrites[text]
		if !model.IsAnswer(as) {
			at.in("statusRewrites", text).invalid("%d is not the status of an answer", as)
		}
		m.Errors.Rewrites = append(m.Errors.Rewrites, model.StatusRewrite{StatusRange: r, As: as})
	}
	if e.Service != "" {
		m.Errors.Service = at.in("service").ref(e.Service)
	}
	switch {
	case len(e.Status) > 0 && e.Service == "":
		at.in("service").invalid("say which service has the pages")
	case len(e.Status) == 0 && len(e.StatusRewrites) == 0:
		at.in("status").invalid("say which answers another page is sent for, such as 500-599")
	}
	if err := plain(e.Query); err != nil {
		at.in("query").invalid("%s", err)
	}
}
