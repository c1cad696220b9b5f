package dynamic

import (
	"cmp"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

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
	if s.Name = cmp.Or(s.Name, p.object.cookieName()); !httpguts.ValidHeaderFieldName(s.Name) {
		at.in("name").invalid("%q is not the name of a cookie", c.Name)
	}
	switch s.SameSite {
	case "", "none", "lax", "strict":
	default:
		at.in("sameSite").invalid("%q is not known; it is one of none, lax and strict", c.SameSite)
	}
	probe := http.Cookie{Name: "a", Value: "b", Path: s.Path, Domain: s.Domain}
	if err := probe.Valid(); err != nil {
		field := "domain"
		if probe.Domain = ""; probe.Valid() != nil {
			field = "path"
		}
		at.in(field).invalid("a cookie cannot have this; %s", err)
	}
	return s
}

// cookieName is what the cookie is called whose owner does not care.
func (o *object) cookieName() string {
	sum := fnv.New64a()
	sum.Write([]byte(o.ref.Name.String()))
	return "_" + strconv.FormatUint(sum.Sum64()&0xffffffff, 16)
}
