package config

import (
	"cmp"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

// policy is how the file writes a [Service].
type policy struct {
	Name       string         `doc:"name"`
	Clusters   *document.Node `doc:"clusters"`
	Picker     string         `doc:"picker"`
	Spill      int            `doc:"spill"`
	FailClosed bool           `doc:"failClosed"`
	Sticky     *sticky        `doc:"sticky"`
}

type sticky struct {
	Cookie *cookie `doc:"cookie"`
}

type cookie struct {
	Name     string `doc:"name"`
	Path     string `doc:"path"`
	Domain   string `doc:"domain"`
	Secure   bool   `doc:"secure"`
	HTTPOnly bool   `doc:"httpOnly"`
	SameSite string `doc:"sameSite"`
	MaxAge   int    `doc:"maxAge"`
}

type share struct {
	Tier   int `doc:"tier"`
	Weight int `doc:"weight"`
}

// services reads the policy for fleet services, sorted by name.
func (l *loader) services(p part, c *Config) []Service {
	var services []Service
	seen := map[string]string{}
	for _, p := range l.list(p) {
		var in policy
		l.decode(p, &in)
		l.required(p, "name", "shop")
		if p.key("name").given() && (!isServicePattern(in.Name) || strings.Contains(in.Name, "*")) {
			l.wrong(p.key("name"), `%q is no name of a service; write "shop" or "team-a/shop"`, shorten(in.Name))
		}
		if in.Name != "" {
			l.unique(p.key("name"), in.Name, seen)
		}
		if in.Picker != "" {
			l.oneOf(p.key("picker"), in.Picker,
				string(model.P2C), string(model.WRR), string(model.LRQ), string(model.LRT),
				string(model.HRW))
		}
		if in.Spill < 0 || in.Spill > 100 {
			l.wrong(p.key("spill"), "%d is not a percentage", in.Spill)
		}
		service := Service{Name: model.ParseName(in.Name), Balance: model.Balance{
			Picker: model.Picker(in.Picker), Shares: l.shares(p.key("clusters"), c),
			Spill: in.Spill, FailClosed: in.FailClosed,
		}}
		if in.Sticky != nil && in.Sticky.Cookie != nil {
			service.Sticky = l.cookie(p.key("sticky").key("cookie"), in.Sticky.Cookie, c.Cluster+" "+service.Name.String())
		}
		services = append(services, service)
	}
	slices.SortFunc(services, func(a, b Service) int { return a.Name.Compare(b.Name) })
	return services
}

// cookie reads what keeps sessions in clusters. Unless it has a name, it is called after usual, in which the instance's
// own cluster is, so that cookies of several layers are not called the same.
func (l *loader) cookie(p part, in *cookie, usual string) *model.Sticky {
	s := &model.Sticky{
		Name: cmp.Or(in.Name, model.CookieName(usual)), Path: cmp.Or(in.Path, "/"), Domain: in.Domain,
		SameSite: strings.ToLower(in.SameSite), MaxAge: in.MaxAge, Secure: in.Secure, HTTPOnly: in.HTTPOnly,
	}
	for _, f := range s.Faults() {
		l.wrong(p.key(f.Field), "%s", f.Message)
	}
	return s
}

// shares reads what each cluster gets. The instance's own cluster is told by its name too.
func (l *loader) shares(p part, c *Config) []model.Share {
	names, parts := l.entries(p)
	var shares []model.Share
	for i, name := range names {
		in := share{Weight: model.DefaultShareWeight}
		l.decode(parts[i], &in)
		l.atLeast(parts[i].key("tier"), 0, in.Tier)
		l.atLeast(parts[i].key("weight"), 0, in.Weight)
		out := model.Share{Cluster: name, Tier: in.Tier, Weight: in.Weight}
		switch {
		case name == c.Cluster:
			out.Cluster = ""
		case !c.follows(name):
			l.wrong(parts[i], "there is no cluster %q in clusters", shorten(name))
		}
		shares = append(shares, out)
	}
	slices.SortFunc(shares, func(a, b model.Share) int { return cmp.Compare(a.Cluster, b.Cluster) })
	return shares
}

// isServicePattern reports whether s is a service's name, all of a namespace, or all.
func isServicePattern(s string) bool {
	namespace, name, ok := strings.Cut(s, "/")
	if !ok {
		namespace, name = "x", s
	}
	return serviceWord.MatchString(namespace) && (name == "*" || serviceWord.MatchString(name))
}
