package config

import (
	"cmp"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// Cluster is a cluster that the instance follows.
type Cluster struct {
	Name string `doc:"name"` // required: [a-z0-9-]{1,63}
	// Addresses are "host:port" of its link entry points, at least one. The first that answers is used.
	Addresses []string `doc:"addresses"`
	Key       KeyRef   `doc:"key"` // required: the API key that the cluster gave
	CA        CA       `doc:"ca"`  // required: whose certificate the cluster shows
	// ServerName is the name to find in the cluster's certificate. "": the host of the address that is dialled.
	ServerName string `doc:"serverName"`
	Grant      Grant  `doc:"grant"`
	// Tier and Weight are the cluster's part of every service that Services does not say otherwise of. See
	// [model.Share].
	Tier   int `doc:"tier"`   // default: 0
	Weight int `doc:"weight"` // default: 100
	// StaleAfter is how long the last known state is served once the cluster cannot be read. 0, the default: for ever.
	StaleAfter time.Duration `doc:"staleAfter"`
}

// Source returns the source of the cluster's objects: "link/paris".
func (c Cluster) Source() model.Source { return model.LinkSource(c.Name) }

// Grant is what a cluster may claim.
type Grant struct {
	// Hosts are the hosts of its routes: "a.example", "*.shop.example" (any number of labels in place of the star),
	// "*". Empty: none, so that nothing is granted.
	Hosts []string `doc:"hosts"`
	// Paths are prefixes of its routes' paths. Empty: all paths.
	Paths []string `doc:"paths"`
	// EntryPoints are the entry points of this instance on which its routes may be served. Load fills in
	// the default ones where the file names none.
	EntryPoints []string `doc:"entryPoints"`
	// TCP and UDP are the entry points that the cluster may take whole: for connections without TLS, and for datagrams,
	// which name no host.
	TCP []string `doc:"tcp"`
	UDP []string `doc:"udp"`
	// Services are the fleet-wide names of its services: "shop", "team-a/cart", "team-a/*", "*". Whoever has a name
	// shares its requests with the other clusters that have it. Empty: none, so that nothing is granted.
	Services []string `doc:"services"`
}

// Service is the policy for one fleet service: how its requests are spread over the clusters.
type Service struct {
	Name    model.Name
	Balance model.Balance // its shares are only those that the file gives
	Sticky  *model.Sticky // keeps sessions in clusters; nil: nothing does
}

// Policy returns how the requests for a fleet service are spread, and what keeps its sessions in clusters. The shares
// name every cluster of which the file says something: in services, or else in clusters.
func (c *Config) Policy(service model.Name) (model.Balance, *model.Sticky) {
	var (
		balance model.Balance
		sticky  *model.Sticky
	)
	for _, s := range c.Services {
		if s.Name == service {
			balance, sticky = s.Balance, s.Sticky
		}
	}
	balance.Shares = slices.Clone(balance.Shares)
	for _, cluster := range c.Clusters {
		usual := model.Share{Cluster: cluster.Name, Weight: model.DefaultShareWeight}
		named := func(s model.Share) bool { return s.Cluster == cluster.Name }
		share := model.Share{Cluster: cluster.Name, Tier: cluster.Tier, Weight: cluster.Weight}
		if !slices.ContainsFunc(balance.Shares, named) && share != usual {
			balance.Shares = append(balance.Shares, share)
		}
	}
	slices.SortFunc(balance.Shares, func(a, b model.Share) int { return cmp.Compare(a.Cluster, b.Cluster) })
	return balance, sticky
}
