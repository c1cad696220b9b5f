package config

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/workloadapi"

	"github.com/fairlead/fairlead/internal/document"
)

var (
	clusterName    = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)
	serviceWord    = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,253}$`)
	entryPointName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$`)
)

// top is the file's outermost map. Parts whose defaults must be set for each of them are taken as they are.
type top struct {
	Cluster struct {
		Name string `doc:"name"`
	} `doc:"cluster"`
	Core struct {
		DefaultRuleSyntax string `doc:"defaultRuleSyntax"`
	} `doc:"core"`
	EntryPoints *document.Node `doc:"entryPoints"`
	Providers   *document.Node `doc:"providers"`
	Link        *document.Node `doc:"link"`
	Export      Export         `doc:"export"`
	Clusters    *document.Node `doc:"clusters"`
	Precedence  []string       `doc:"precedence"`
	Services    *document.Node `doc:"services"`
	Store       Store          `doc:"store"`
	API         API            `doc:"api"`
	SPIFFE      *SPIFFE        `doc:"spiffe"`
	Log         Log            `doc:"log"`
	AccessLog   *AccessLog     `doc:"accessLog"`
	Metrics     struct {
		Prometheus *Prometheus `doc:"prometheus"`
	} `doc:"metrics"`
	Tracing       *document.Node `doc:"tracing"`
	StartDeadline time.Duration  `doc:"startDeadline"`
}

func (l *loader) config() *Config {
	t := top{
		Store: Store{Path: "fairlead-data"}, API: API{Address: "127.0.0.1:9080"},
		Log: Log{Level: "info", Format: "json"}, StartDeadline: 10 * time.Second,
	}
	t.Cluster.Name, t.Core.DefaultRuleSyntax = "local", "v3"
	file := part{node: l.root, at: l.root.At}
	l.decode(file, &t)
	c := &Config{
		Cluster: t.Cluster.Name, Export: t.Export, Precedence: t.Precedence, Store: t.Store, API: t.API, Log: t.Log,
		AccessLog: t.AccessLog, SPIFFE: t.SPIFFE, Prometheus: t.Metrics.Prometheus, StartDeadline: t.StartDeadline,
	}
	if !clusterName.MatchString(c.Cluster) {
		l.wrong(file.key("cluster").key("name"), "%q is no name of a cluster; use a-z, 0-9 and -", shorten(c.Cluster))
	}
	l.oneOf(file.key("core").key("defaultRuleSyntax"), t.Core.DefaultRuleSyntax, "v3")
	c.EntryPoints = l.entryPoints(file.key("entryPoints"))
	c.Providers = l.providers(file.key("providers"), c)
	c.Link = l.link(file.key("link"))
	c.Clusters = l.clusters(file.key("clusters"), c)
	l.precedence(file.key("precedence"), c)
	c.Services = l.services(file.key("services"), c)
	c.Tracing = l.tracing(file.key("tracing"))
	l.instance(file, c)
	l.addresses(file, c)
	return c
}

// link reads the link's entry point. Nil: there is none.
func (l *loader) link(p part) *Link {
	if !p.given() {
		return nil
	}
	link := &Link{Address: ":9443"}
	l.decode(p, link)
	for i, name := range link.Names {
		if !isHost(name) {
			l.wrong(p.key("names").item(i), "%q is neither a DNS name nor an IP address", shorten(name))
		}
	}
	l.keyPair(p.key("tls"), link.TLS)
	return link
}

// instance checks what the instance has one of.
func (l *loader) instance(file part, c *Config) {
	const needsLink = `nothing can be exported without a link; add for example link: {address: ":9443"}`
	if c.Export.Transit && c.Link == nil {
		l.wrong(file.key("export").key("transit"), needsLink)
	}
	if c.Store.Path == "" {
		l.wrong(file.key("store").key("path"), "is empty; name a folder")
	}
	l.absolute(&c.Store.Path)

	api := file.key("api")
	l.keyPair(api.key("tls"), c.API.TLS)
	if !c.API.Address.Loopback() && c.API.TLS == nil {
		l.wrong(api.key("address"), "%s can be reached from other machines, so the API needs TLS there; "+
			"add api.tls, or use 127.0.0.1", c.API.Address)
	}
	log := file.key("log")
	c.Log.Level = strings.ToLower(c.Log.Level)
	l.oneOf(log.key("level"), c.Log.Level, "debug", "info", "warn", "error")
	l.oneOf(log.key("format"), c.Log.Format, "json", "text")
	if c.AccessLog != nil {
		if c.AccessLog.Format == "" {
			c.AccessLog.Format = "json"
		}
		l.oneOf(file.key("accessLog").key("format"), c.AccessLog.Format, "json", "common")
		l.absolute(&c.AccessLog.FilePath)
	}
	if c.SPIFFE != nil && workloadapi.ValidateAddress(c.SPIFFE.WorkloadAPIAddr) != nil {
		l.wrong(file.key("spiffe").key("workloadAPIAddr"), "%q is no address of a workload API; "+
			`write "unix:///run/spire/agent.sock", or "tcp://127.0.0.1:8081"`, shorten(c.SPIFFE.WorkloadAPIAddr))
	}
	if c.Prometheus != nil {
		l.required(file.key("metrics").key("prometheus"), "address", `"127.0.0.1:9090"`)
	}
	l.notNegative(file.key("startDeadline"), c.StartDeadline)
}

// addresses reports addresses that cannot be used at once, and a file that opens none.
func (l *loader) addresses(file part, c *Config) {
	type use struct {
		part
		address Address
		udp     bool
	}
	var uses []use
	for _, e := range c.EntryPoints {
		uses = append(uses, use{file.key("entryPoints").key(e.Name).key("address"), e.Address.Address, e.Address.UDP})
	}
	if c.Link != nil {
		uses = append(uses, use{file.key("link").key("address"), c.Link.Address, false})
	}
	if c.Prometheus != nil {
		uses = append(uses, use{file.key("metrics").key("prometheus").key("address"), c.Prometheus.Address, false})
	}
	uses = append(uses, use{file.key("api").key("address"), c.API.Address, false})
	slices.SortStableFunc(uses, func(a, b use) int { return cmp.Compare(a.at.Line, b.at.Line) })
	for i, later := range uses {
		for _, first := range uses[:i] {
			if later.udp == first.udp && later.address.clashes(first.address) {
				l.wrong(later.part, "%s clashes with %s (%s)", later.address, first.path, first.address)
				break
			}
		}
	}
	if len(c.EntryPoints) == 0 && c.Link == nil && !file.key("entryPoints").given() {
		l.wrong(file.key("entryPoints"),
			`nothing would be served; add for example entryPoints: {web: {address: ":8080"}}`)
	}
}
