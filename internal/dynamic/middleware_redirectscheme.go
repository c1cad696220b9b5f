package dynamic

import (
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

type redirectScheme struct {
	Scheme    string `doc:"scheme"`
	Port      string `doc:"port"`
	Permanent bool   `doc:"permanent"`
}

func (*redirectScheme) gaps() []gap { return nil }

func (r *redirectScheme) build(at place, m *model.Middleware) {
	scheme := strings.ToLower(r.Scheme)
	if scheme != "http" && scheme != "https" {
		at.in("scheme").invalid("say which scheme clients are sent to: https or http")
	}
	if n, err := strconv.Atoi(r.Port); r.Port != "" && (err != nil || n < 1 || n > 65535) {
		at.in("port").invalid("%q is no port", r.Port)
	}
	m.RedirectScheme = &model.RedirectScheme{Scheme: scheme, Port: r.Port, Permanent: r.Permanent}
}
