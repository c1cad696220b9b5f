package config

import (
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

func (l *loader) clusters(p part, c *Config) []Cluster {
	var clusters []Cluster
	seen := map[string]string{}
	for _, p := range l.list(p) {
		cluster := Cluster{Weight: model.DefaultShareWeight}
		l.decode(p, &cluster)
		l.cluster(p, &cluster, c)
		if cluster.Name != "" {
			l.unique(p.key("name"), cluster.Name, seen)
		}
		clusters = append(clusters, cluster)
	}
	return clusters
}

func (l *loader) cluster(p part, cluster *Cluster, c *Config) {
	l.required(p, "name", "paris")
	if p.key("name").given() && !clusterName.MatchString(cluster.Name) {
		l.wrong(p.key("name"), "%q is no name of a cluster; use a-z, 0-9 and -", shorten(cluster.Name))
	}
	if cluster.Name == c.Cluster {
		l.wrong(p.key("name"), "%q is the name of this instance's own cluster (cluster.name)", cluster.Name)
	}
	l.required(p, "addresses", `["paris.example:9443"]`)
	for i, address := range cluster.Addresses {
		if !isDial(address) {
			l.wrong(p.key("addresses").item(i), `%q is not an address to dial; write "host:port"`, shorten(address))
		}
	}
	l.required(p, "key", `"file:/etc/fairlead/paris.key"`)
	l.absolute(&cluster.Key.File)
	l.required(p, "ca", `"paris-ca.pem"`)
	l.absolute(&cluster.CA.File)
	if cluster.ServerName != "" && !isHost(cluster.ServerName) {
		l.wrong(p.key("serverName"), "%q is neither a DNS name nor an IP address", shorten(cluster.ServerName))
	}
	l.atLeast(p.key("tier"), 0, cluster.Tier)
	l.atLeast(p.key("weight"), 0, cluster.Weight)
	l.notNegative(p.key("staleAfter"), cluster.StaleAfter)
	l.grant(p.key("grant"), &cluster.Grant, c)
}

// grant checks what the cluster may claim, and fills in the entry points when the file does not name any.
func (l *loader) grant(p part, g *Grant, c *Config) {
	for i, host := range g.Hosts {
		g.Hosts[i] = strings.ToLower(host)
		if !isHostPattern(host) {
			l.wrong(p.key("hosts").item(i), `%q is not a host; write "a.example", "*.a.example" or "*"`, shorten(host))
		}
	}
	for i, path := range g.Paths {
		if !strings.HasPrefix(path, "/") {
			l.wrong(p.key("paths").item(i), "%q is not a path; it must begin with a slash", shorten(path))
		}
	}
	for i, name := range g.EntryPoints {
		if !slices.ContainsFunc(c.EntryPoints, func(e EntryPoint) bool { return e.Name == name }) {
			l.wrong(p.key("entryPoints").item(i), "there is no entry point %q", shorten(name))
		}
	}
	l.wholes(p.key("tcp"), g.TCP, c, false)
	l.wholes(p.key("udp"), g.UDP, c, true)
	for i, pattern := range g.Services {
		if !isServicePattern(pattern) {
			l.wrong(p.key("services").item(i), `%q is not a service; write "shop", "team-a/shop", "team-a/*" or "*"`,
				shorten(pattern))
		}
	}
	if len(g.EntryPoints) == 0 {
		for _, e := range c.EntryPoints {
			if e.AsDefault && !e.Address.UDP {
				g.EntryPoints = append(g.EntryPoints, e.Name)
			}
		}
	}
	if len(g.Hosts)+len(g.TCP)+len(g.UDP) > 0 && len(g.Services) == 0 {
		l.wrong(p, `grants hosts but no services, so nothing is granted; add services: ["*"], or their names where `+
			"clusters do not trust each other")
	}
}

// wholes checks the entry points that a cluster may take whole.
func (l *loader) wholes(p part, names []string, c *Config, udp bool) {
	for i, name := range names {
		if !slices.ContainsFunc(c.EntryPoints, func(e EntryPoint) bool { return e.Name == name && e.Address.UDP == udp }) {
			l.wrong(p.item(i), "there is no entry point %q of this kind", shorten(name))
		}
	}
}

// precedence checks that the clusters exist, each once.
func (l *loader) precedence(p part, c *Config) {
	seen := map[string]string{}
	for i, name := range c.Precedence {
		if !c.follows(name) {
			l.wrong(p.item(i), "there is no cluster %q in clusters", shorten(name))
		}
		l.unique(p.item(i), name, seen)
	}
}

func (c *Config) follows(name string) bool {
	return slices.ContainsFunc(c.Clusters, func(o Cluster) bool { return o.Name == name })
}

// unique reports a name that was seen before. Seen holds where.
func (l *loader) unique(p part, name string, seen map[string]string) {
	if first, ok := seen[name]; ok {
		l.wrong(p, "the name %q is already taken by %s", name, first)
		return
	}
	seen[name] = p.path
}
