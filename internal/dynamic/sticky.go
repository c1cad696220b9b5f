package dynamic

import (
	"cmp"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

type sticky struct {
	Cookie *stickyCookie `doc:"cookie"`
}

type stickyCookie struct {
	Name     string  `doc:"name"`
	Secure   bool    `doc:"secure"`
	HTTPOnly bool    `doc:"httpOnly"`
	SameSite string  `doc:"sameSite"`
	MaxAge   int     `doc:"maxAge"`
	Path     *string `doc:"path"`
	Domain   string  `doc:"domain"`
}

// sticky reads how sessions are kept. As in Traefik, only where there is a cookie.
func (p place) sticky(spec *sticky) *model.Sticky {
	if spec == nil || spec.Cookie == nil {
		return nil
	}
	c, at := spec.Cookie, p.in("cookie")
	s := &model.Sticky{
		Name: c.Name, Path: "/", Domain: c.Domain, SameSite: strings.ToLower(c.SameSite), MaxAge: c.MaxAge,
		Secure: c.Secure, HTTPOnly: c.HTTPOnly,
	}
	if c.Path != nil {
		s.Path = *c.Path
	}
	s.Name = cmp.Or(s.Name, model.CookieName(p.object.ref.Name.String()))
	for _, f := range s.Faults() {
		at.in(f.Field).invalid("%s", f.Message)
	}
	return s
}
