package config

import (
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// Config is what one instance does. Load makes it; it is not changed afterwards.
type Config struct {
	// Cluster is the name of the cluster that the instance runs in. Default: "local".
	Cluster     string
	EntryPoints []EntryPoint // sorted by name
	Providers   []Provider   // in the order of the file
	Link        *Link        // nil: nothing is offered to followers
	Export      Export
	Clusters    []Cluster // that the instance follows, in the order of the file
	// Precedence decides between clusters that claim the same rule: the first wins. Those not named come last, as
	// equals.
	Precedence []string
	Services   []Service // the policy for fleet services, sorted by name
	Store      Store
	API        API
	Log        Log
	AccessLog  *AccessLog  // nil: off
	SPIFFE     *SPIFFE     // nil: the instance is nobody by SPIFFE
	Prometheus *Prometheus // nil: no metrics are offered
	Tracing    *Tracing    // nil: nothing is traced
	// StartDeadline bounds how long the start waits for sources to say what they know. Default, and 0: 10 s.
	StartDeadline time.Duration
	// Problems are keys of the file that change nothing.
	Problems []model.Problem
}

// Order returns the precedence of the sources: the local providers in the order of the file, then the clusters that
// precedence names.
func (c *Config) Order() []model.Source {
	var order []model.Source
	for _, p := range c.Providers {
		order = append(order, p.Source())
	}
	for _, name := range c.Precedence {
		order = append(order, model.LinkSource(name))
	}
	return order
}

// Sources returns every source that the instance learns routes from: the local providers, then all clusters, each in
// the order of the file.
func (c *Config) Sources() []model.Source {
	var sources []model.Source
	for _, p := range c.Providers {
		sources = append(sources, p.Source())
	}
	for _, cluster := range c.Clusters {
		sources = append(sources, cluster.Source())
	}
	return sources
}

// SPIFFE says who tells the instance who it is.
type SPIFFE struct {
	WorkloadAPIAddr string `doc:"workloadAPIAddr"` // "unix:///run/spire/agent.sock" or "tcp://127.0.0.1:8081"
}

// Export says what may be offered to followers, beside the routes that say so themselves.
type Export struct {
	Transit bool `doc:"transit"` // routes that ask for it may lead to services learned over links
}

// Link is the entry point on which followers read what this instance exports, and send the requests for it.
type Link struct {
	Address Address `doc:"address"` // default: ":9443"
	// Names are the DNS names and IP addresses that followers dial, for the certificate that the instance makes itself.
	Names []string `doc:"names"`
	// TLS is the certificate to show. Nil: one of the instance's own CA, which is kept in the store.
	TLS *KeyPair `doc:"tls"`
}

// KeyPair names a certificate, with its chain, and its private key, both PEM.
type KeyPair struct {
	CertFile string `doc:"certFile"`
	KeyFile  string `doc:"keyFile"`
}

// Store is where the instance keeps what must survive a restart.
type Store struct {
	Path string `doc:"path"` // a folder, made when missing; default: "fairlead-data"
}

// API is the management API.
type API struct {
	Address Address  `doc:"address"` // default: "127.0.0.1:9080"
	TLS     *KeyPair `doc:"tls"`     // nil: plain text, which is allowed on a loopback address only
}

// Log is the instance's own log, on standard error.
type Log struct {
	Level  string `doc:"level"`  // "debug", "info" (the default), "warn" or "error"
	Format string `doc:"format"` // "json" (the default) or "text"
}

// AccessLog has one line for each request.
type AccessLog struct {
	FilePath string `doc:"filePath"` // "": standard output
	Format   string `doc:"format"`   // "json" (the default) or "common"
}

// Prometheus is where metrics are offered, in Prometheus' text format under /metrics.
type Prometheus struct {
	Address Address `doc:"address"` // required
}
