package traefik

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// snapshot is what the routers make, within the grant.
func (p *Provider) snapshot(routers []router) model.Snapshot {
	names := make(map[string]string) // of the services there, by route here
	texts := make(map[string]string)
	for _, r := range routers {
		if on := p.entryPoint(r); on != "" && r.served() {
			name := plain(r.Name)
			names[name] = p.add(texts, name, r, on)
		}
	}
	doc, mistakes := p.document(texts)
	s := dynamic.Build(p.config.Source, []*dynamic.Document{doc})
	s.Problems = append(s.Problems, mistakes...)
	used := make(map[model.Name]bool)
	var routes []*model.Route
	for _, r := range s.Routes {
		on, match, err := p.config.Bound(r, names[r.Name.Name])
		if err != nil {
			s.Problems = append(s.Problems, model.Problem{
				Object: model.Object{Kind: model.KindRoute, Ref: r.Ref()}, Code: model.NotGranted, Message: err.Error(),
			})
			continue
		}
		own := *r // the document's is not ours to change
		own.EntryPoints, own.Match = on, match
		routes = append(routes, &own)
		for _, b := range r.Backends {
			used[b.Service.Name] = true
		}
	}
	s.Routes = routes
	s.Services = slices.DeleteFunc(s.Services, func(svc *model.Service) bool { return !used[svc.Name] })
	s.Sort()
	return s
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
		url, known := p.config.EntryPoints[name]
		switch fits := strings.HasPrefix(url, "https:") == (len(r.TLS) > 0); {
		case !known:
		case fits:
			return name
		case best == "":
			best = name
		}
	}
	return best
}

// add writes a router and its service, and returns what the service is called there.
func (p *Provider) add(texts map[string]string, name string, r router, on string) string {
	called, provider, own := strings.Cut(r.Service, "@")
	if !own {
		provider = r.provider()
	}
	service := plain(called + "@" + provider + "@" + on)
	at := "http/routers/" + name + "/"
	texts[at+"rule"], texts[at+"service"] = r.Rule, service
	if r.Priority != 0 {
		texts[at+"priority"] = strconv.Itoa(r.Priority)
	}
	if r.RuleSyntax != "" {
		texts[at+"ruleSyntax"] = r.RuleSyntax
	}
	if len(r.TLS) > 0 {
		texts[at+"tls"] = "true"
	}
	at = "http/services/" + service + "/loadBalancer/"
	texts[at+"servers/0/url"] = p.config.EntryPoints[on]
	if strings.HasPrefix(p.config.EntryPoints[on], "https:") {
		texts[at+"serversTransport"] = transport
	}
	return called
}

// transport is the name of how entry points with TLS are reached.
const transport = "entry-points"

// document is the routers in the dynamic format.
func (p *Provider) document(texts map[string]string) (*dynamic.Document, []model.Problem) {
	t, at := p.config.Trust, "http/serversTransports/"+transport+"/"
	for key, text := range map[string]string{"serverName": t.ServerName, "rootCAs/0": t.CA} {
		if text != "" {
			texts[at+key] = text
		}
	}
	texts[at+"insecureSkipVerify"] = strconv.FormatBool(t.Insecure)
	root, mistakes := document.Flat(p.config.URL, '/', texts)
	var problems []model.Problem
	for _, m := range mistakes { // names that differ in letter case alone
		problems = append(problems, model.Problem{
			Object: model.Object{Kind: model.KindSource, Ref: model.Ref{Source: p.config.Source}},
			Field:  m.Field, Code: model.InvalidField, Message: m.Message, At: m.At.String(),
		})
	}
	return dynamic.DecodeTree(p.config.Source, p.config.URL, root), problems
}
