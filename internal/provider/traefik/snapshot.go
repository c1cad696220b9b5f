package traefik

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// snapshot is what the routers make, within the grant.
func (p *Provider) snapshot(routers []router) model.Snapshot {
	below := children(routers)
	leadsTo := make(map[string][]string) // services there, by route here
	texts := make(map[string]string)
	for _, r := range routers {
		services := below.services(r)
		if on := p.entryPoint(r); on != "" && r.served() && len(services) > 0 {
			name := plain(r.Name)
			leadsTo[name] = services
			p.add(texts, name, r, on)
		}
	}
	doc, mistakes := p.document(texts)
	s := dynamic.Build(p.config.Source, []*dynamic.Document{doc})
	s.Problems = append(s.Problems, mistakes...)
	used := make(map[model.Name]bool)
	var routes []*model.Route
	for _, r := range s.Routes {
		own, err := p.bound(r, leadsTo[r.Name.Name])
		if err != nil {
			s.Problems = append(s.Problems, model.Problem{
				Object: model.Object{Kind: model.KindRoute, Ref: r.Ref()}, Code: model.NotGranted, Message: err.Error(),
			})
			continue
		}
		routes = append(routes, own)
		for _, b := range r.Backends {
			used[b.Service.Name] = true
		}
	}
	s.Routes = routes
	s.Services = slices.DeleteFunc(s.Services, func(svc *model.Service) bool { return !used[svc.Name] })
	s.Sort()
	return s
}

// bound returns what the grant leaves of a route: nothing, where it does not cover one of the services.
func (p *Provider) bound(r *model.Route, services []string) (*model.Route, error) {
	own := *r // the document's is not ours to change
	for _, service := range services {
		on, match, err := p.config.Bound(r, service)
		if err != nil {
			return nil, err
		}
		own.EntryPoints, own.Match = on, match
	}
	return &own, nil
}

// tree is the routers that are reached through others, by the names of these.
type tree map[string][]router

func children(routers []router) tree {
	below := make(tree)
	for _, r := range routers {
		for _, parent := range r.ParentRefs {
			below[parent] = append(below[parent], r)
		}
	}
	return below
}

// services returns the services that a router's requests may come to, sorted, as the routers there name them, without
// the provider. A router that has none of its own leads to those of its children.
func (t tree) services(r router) []string {
	var found []string
	seen := make(map[string]bool) // of children: they may be below each other
	var visit func(router)
	visit = func(r router) {
		if r.Status == disabled || seen[r.Name] {
			return
		}
		seen[r.Name] = true
		if name, _, _ := strings.Cut(r.Service, "@"); name != "" {
			found = append(found, name)
		}
		for _, child := range t[r.Name] {
			visit(child)
		}
	}
	visit(r)
	slices.Sort(found)
	return slices.Compact(found)
}

// plain makes a name of one of Traefik's: "shop@docker" is "shop.docker" here.
func plain(name string) string {
	return strings.NewReplacer("@", ".", "/", "-", "[", "-", "]", "-").Replace(name)
}

// entryPoint returns through which of the known entry points a router is reached; "": none. One that speaks what the
// router wants goes first.
func (p *Provider) entryPoint(r router) string {
	best := ""
	for _, name := range slices.Sorted(slices.Values(r.EntryPoints)) {
		urls, known := p.config.EntryPoints[name]
		switch fits := secure(urls) == (r.TLS != nil); {
		case !known:
		case fits:
			return name
		case best == "":
			best = name
		}
	}
	return best
}

// secure reports whether an entry point is reached with TLS.
func secure(urls []string) bool { return len(urls) > 0 && strings.HasPrefix(urls[0], "https:") }

// add writes a router and its service: where it leads to others, one that is called as itself.
func (p *Provider) add(texts map[string]string, name string, r router, on string) {
	service := cmp.Or(r.Service, r.Name)
	if !strings.Contains(service, "@") {
		service += "@" + r.provider()
	}
	service = plain(service + "@" + on)
	host := ""
	if secure(p.config.EntryPoints[on]) {
		if host = r.ownHost(); host != "" {
			service += "." + host
		}
	}
	at := "http/routers/" + name + "/"
	texts[at+"rule"], texts[at+"service"] = r.Rule, service
	if r.Priority != 0 {
		texts[at+"priority"] = strconv.FormatInt(r.Priority, 10)
	}
	if r.RuleSyntax != "" {
		texts[at+"ruleSyntax"] = r.RuleSyntax
	}
	if r.TLS != nil {
		texts[at+"tls"] = "true"
	}
	at = "http/services/" + service + "/loadBalancer/"
	for i, url := range p.config.EntryPoints[on] {
		texts[at+"servers/"+strconv.Itoa(i)+"/url"] = url
	}
	// As the gateway of a cluster it is watched, and waited for when it comes back: a Traefik takes requests before it has
	// read its routers. It starts within half a second, and its absence must not be missed.
	texts[at+"healthCheck/mode"], texts[at+"healthCheck/interval"] = "tcp", "250ms"
	if secure(p.config.EntryPoints[on]) {
		texts[at+"serversTransport"] = p.transport(texts, host)
	}
}

// transport writes how entry points with TLS are reached, by the name of a host if there is one, and returns what it is
// called.
func (p *Provider) transport(texts map[string]string, host string) string {
	t, name := p.config.Trust, "entry-points"
	if host != "" {
		name += "." + host
	}
	at := "http/serversTransports/" + name + "/"
	for key, text := range map[string]string{"serverName": cmp.Or(host, t.ServerName), "rootCAs/0": t.CA} {
		if text != "" {
			texts[at+key] = text
		}
	}
	texts[at+"insecureSkipVerify"] = strconv.FormatBool(t.Insecure)
	return name
}

// document is the routers in the dynamic format.
func (p *Provider) document(texts map[string]string) (*dynamic.Document, []model.Problem) {
	root, mistakes := document.Flat(p.config.URLs[0], '/', texts)
	var problems []model.Problem
	for _, m := range mistakes { // names that differ in letter case alone
		problems = append(problems, model.Problem{
			Object: model.Object{Kind: model.KindSource, Ref: model.Ref{Source: p.config.Source}},
			Field:  m.Field, Code: model.InvalidField, Message: m.Message, At: m.At.String(),
		})
	}
	return dynamic.DecodeTree(p.config.Source, p.config.URLs[0], root), problems
}
