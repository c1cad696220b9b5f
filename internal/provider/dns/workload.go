package dns

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// snapshot is what all answers say together.
func (p *Provider) snapshot() model.Snapshot {
	var (
		list     []dynamic.Workload
		problems []model.Problem
	)
	for i := range p.config.Services {
		b := building{p: p, service: &p.config.Services[i]}
		list = append(list, b.build()...)
		problems = append(problems, b.problems...)
	}
	s := p.workloads.Build(list)
	s.Problems = append(s.Problems, problems...)
	s.Sort()
	return s
}

// building is one service that is put together.
type building struct {
	p        *Provider
	service  *Service
	problems []model.Problem
	found    []place
}

// place is one address of a service, and how much SRV would have it used.
type place struct {
	host     string
	port     uint16
	priority uint16 // the lower goes first
	weight   int
}

func (b *building) build() []dynamic.Workload {
	s := b.service
	host := canonical(s.Host)
	switch s.Type {
	case "":
		b.addresses(host, place{port: s.Port, weight: 1})
	case "SRV":
		for _, r := range b.records(host, dns.TypeSRV) {
			if srv := r.(*dns.SRV); srv.Target != "." {
				b.addresses(canonical(srv.Target), place{
					port: srv.Port, priority: srv.Priority, weight: max(int(srv.Weight), 1),
				})
			}
		}
	default:
		b.typed(host, dns.StringToType[s.Type], place{port: s.Port, weight: 1})
	}
	return b.workloads()
}

// addresses adds those of a name: of IPv4, or of IPv6 where there are none.
func (b *building) addresses(host string, like place) {
	if e := b.p.entries[question{host, dns.TypeA}]; e != nil && len(e.records) == 0 && e.failure == "" {
		b.typed(host, dns.TypeAAAA, like)
		return
	}
	b.typed(host, dns.TypeA, like)
}

func (b *building) typed(host string, kind uint16, like place) {
	for _, r := range b.records(host, kind) {
		one := like
		switch r := r.(type) {
		case *dns.A:
			one.host = r.A.String()
		case *dns.AAAA:
			one.host = r.AAAA.String()
		}
		b.found = append(b.found, one)
	}
}

// records returns what is known of a question, and tells what is wrong with it.
func (b *building) records(host string, kind uint16) []dns.RR {
	q := question{host, kind}
	e := b.p.entries[q]
	if e == nil {
		return nil
	}
	switch {
	case e.failure != "" && len(e.records) > 0:
		b.report(e, q, model.Stale, e.failure+"; the last answer is served")
	case e.failure != "":
		b.report(e, q, model.Stale, e.failure+"; there was no answer yet")
	case len(e.records) == 0 && kind != dns.TypeTXT:
		b.report(e, q, model.UnknownService, e.reason)
	case e.more > 0:
		b.report(e, q, model.LimitExceeded,
			fmt.Sprintf("%d records too many are left out; at most %d are used", e.more, maxRecords))
	}
	return e.records
}

func (b *building) report(e *entry, q question, code model.Code, message string) {
	b.problems = append(b.problems, model.Problem{
		Object: model.Object{
			Kind: model.KindService, Ref: model.Ref{Name: model.Name{Name: b.service.Name}, Source: b.p.config.Source},
		},
		Code: code, Message: message, At: q.String(), Since: e.since,
	})
}

// labels are those of the service, and those that DNS has for it.
func (b *building) labels() map[string]string {
	all := map[string]string{}
	if b.service.TXT {
		for _, r := range b.records(canonical(b.service.Host), dns.TypeTXT) {
			// Text longer than 255 bytes is in several parts (RFC 7208 §3.3).
			if key, value, ok := strings.Cut(strings.Join(r.(*dns.TXT).Txt, ""), "="); ok {
				all[key] = value
			}
		}
	}
	maps.Copy(all, b.service.Labels)
	return all
}

// workloads makes an instance of each address. Where SRV has several priorities, each is a service of its own, and the
// service fails over from one to the next.
func (b *building) workloads() []dynamic.Workload {
	s := b.service
	one := dynamic.Workload{Name: s.Name, Labels: b.labels(), Instance: "name " + s.Name, At: "name " + s.Host}
	if len(b.found) == 0 {
		one.State = model.NotReady
		return []dynamic.Workload{one}
	}
	lane, subject := b.p.workloads.Subject(&one)
	if lane == model.LaneHTTP && subject != "" {
		b.p.workloads.Say(one.Labels, lane, subject, "server.scheme", s.Scheme)
		b.trust(one.Labels, subject)
	}
	tiers := b.tiers(lane, subject)
	var list []dynamic.Workload
	for _, found := range b.found {
		labels := one.Labels
		if i := slices.Index(tiers, found.priority); i < 0 {
			continue
		} else if len(tiers) > 1 {
			labels = b.tiered(one.Labels, subject, tiers, i)
		}
		w := one
		w.Labels, w.Host, w.Weight = labels, found.host, found.weight
		w.Ports = []dynamic.WorkloadPort{{Number: found.port}, {Number: found.port, UDP: true}}
		addr := net.JoinHostPort(found.host, strconv.Itoa(int(found.port)))
		w.Instance += " " + strconv.Itoa(int(found.priority)) + " " + addr
		list = append(list, w)
	}
	return list
}

// trust has the certificate of a service be one for the name that was asked for: by itself, it would be for an address.
func (b *building) trust(labels map[string]string, subject string) {
	s := b.service
	if s.Scheme != "https" || s.Type == "SRV" {
		return
	}
	const transport = "fairlead.http.serverstransports."
	labels[transport+s.Name+".servername"] = strings.TrimSuffix(canonical(s.Host), ".")
	b.p.workloads.Say(labels, model.LaneHTTP, subject, "serverstransport", s.Name)
}

// tiers returns the priorities that can be served, the first first.
func (b *building) tiers(lane model.Lane, subject string) []uint16 {
	var all []uint16
	for _, found := range b.found {
		all = append(all, found.priority)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) > 1 && (lane != model.LaneHTTP || subject == "") {
		b.report(&entry{}, question{canonical(b.service.Host), dns.TypeSRV}, model.Unsupported,
			"only services of HTTP, one for a name, fail over to another priority; those of the first are served")
		return all[:1]
	}
	return all
}

// tiered returns the labels of a service in one of its tiers: what they say of the service is said of the tier.
func (b *building) tiered(labels map[string]string, service string, tiers []uint16, own int) map[string]string {
	name := func(i int) string { return service + "-" + strconv.Itoa(int(tiers[i])) }
	all := map[string]string{}
	routed := false
	for key, value := range labels {
		lower := strings.ToLower(key)
		if before, after, ok := strings.Cut(lower, ".http.services."+strings.ToLower(service)+"."); ok {
			key = key[:len(before)] + ".http.services." + name(own) + "." + key[len(lower)-len(after):]
		}
		all[key] = value
		if _, rest, ok := strings.Cut(lower, ".http.routers."); ok {
			routed = true
			router, _, _ := strings.Cut(rest, ".")
			if !said(labels, router) {
				all["fairlead.http.routers."+router+".service"] = service
			}
		}
	}
	if !routed && b.p.config.Options.DefaultRule != "" {
		all["fairlead.http.routers."+service+".service"] = service
	}
	b.p.workloads.Say(all, model.LaneHTTP, name(own), "passhostheader", "true") // the default, so that it is there
	for i, from := range tiers[:len(tiers)-1] {
		of, to := service, name(i+1)
		if i > 0 {
			of = service + "-from-" + strconv.Itoa(int(from))
		}
		if i+2 < len(tiers) {
			to = service + "-from-" + strconv.Itoa(int(tiers[i+1]))
		}
		all["fairlead.http.services."+of+".failover.service"] = name(i)
		all["fairlead.http.services."+of+".failover.fallback"] = to
	}
	return all
}

// said reports whether labels say which service a router leads to.
func said(labels map[string]string, router string) bool {
	for key := range labels {
		if _, rest, ok := strings.Cut(strings.ToLower(key), ".http.routers."); ok && rest == router+".service" {
			return true
		}
	}
	return false
}
