package upstream

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/fairlead/fairlead/internal/model"
)

// ClusterHealth is what is known of a service's hosts in one cluster. The parts are by weight, from 0 to 1.
type ClusterHealth struct {
	Cluster string `json:"cluster"` // "" is this instance's own
	// Drained says that no endpoint is meant to take new requests (all draining or of weight 0). The cluster then
	// counts as absent, not as unhealthy.
	Drained bool `json:"drained,omitempty"`
	// Healthy is the part that may be used; a host in slow start counts in part. Gateways are doors to the same
	// endpoints: one that is open counts for all.
	Healthy float64 `json:"healthy"`
	// Standby is the part that may be used when nothing is healthy: also hosts not checked yet, in hold-down, or whose
	// ejection is over but not yet disproved by a trial.
	Standby float64 `json:"standby"`
	// Panic is the part that may be used when there is no standby either: everything but gateways whose data path is
	// proved lost and endpoints that their source calls not ready.
	Panic float64 `json:"panic"`
	// Capacity is the part that the cluster itself says is ready; 1 where it says nothing.
	Capacity float64 `json:"capacity"`
	// Why says what is wrong, for people. "": nothing.
	Why string `json:"why,omitempty"`
}

// Portion is what one cluster gets of a service's requests, and why.
type Portion struct {
	Cluster  string  `json:"cluster"` // "" is this instance's own
	Tier     int     `json:"tier"`
	Weight   int     `json:"weight"`
	Healthy  float64 `json:"healthy"`  // as in ClusterHealth
	Capacity float64 `json:"capacity"` // as in ClusterHealth
	Share    float64 `json:"share"`    // percent of the service's new requests
	Why      string  `json:"why"`      // for people; never empty
}

// defaultSpill is the healthy part of a tier, in percent, below which requests overflow to the next one.
const defaultSpill = 70

// Split spreads a service's requests over the clusters that have it. It is pure, and the only place where this is
// decided.
//
// Clusters are grouped in tiers, lower first. A tier's healthy part is the sum of weight × healthy × capacity over
// the sum of weights. A tier takes what the tiers before it left, up to its healthy part divided by the spill
// threshold: at or above the threshold it takes everything, below it the rest flows on. What no tier can take is
// spread in proportion to what each took. Inside a tier the shares are as weight × healthy × capacity.
//
// When that is zero everywhere, the same is done with the standby parts (then the reason is [Standby]), and after that,
// unless the policy fails closed, with the panic parts and without capacity ([Panic]): a mistaken check must not take a
// service down. A cluster of weight 0 gets nothing in any case.
//
// The portions are sorted by tier, then cluster. The shares sum up to 100, or are all 0 and the reason says why.
func Split(b model.Balance, clusters []ClusterHealth) ([]Portion, Reason) {
	clusters = slices.Clone(clusters)
	slices.SortFunc(clusters, func(x, y ClusterHealth) int {
		return cmp.Or(cmp.Compare(b.Share(x.Cluster).Tier, b.Share(y.Cluster).Tier), cmp.Compare(x.Cluster, y.Cluster))
	})
	portions := make([]Portion, len(clusters))
	for i, c := range clusters {
		share := b.Share(c.Cluster)
		portions[i] = Portion{
			Cluster: c.Cluster, Tier: share.Tier, Weight: max(0, share.Weight),
			Healthy: unit(c.Healthy), Capacity: unit(c.Capacity),
		}
	}
	reason := spread(b, clusters, portions)
	for i := range portions {
		portions[i].Why = why(clusters[i], portions[i], reason)
	}
	return portions, reason
}

// spread sets the shares by the first measure that is not zero everywhere.
func spread(b model.Balance, clusters []ClusterHealth, portions []Portion) Reason {
	spill := float64(min(100, max(1, cmp.Or(b.Spill, defaultSpill)))) / 100
	healthy := func(c ClusterHealth) float64 { return unit(c.Healthy) * unit(c.Capacity) }
	standby := func(c ClusterHealth) float64 { return unit(c.Standby) * unit(c.Capacity) }
	everything := func(c ClusterHealth) float64 { return unit(c.Panic) }
	switch {
	case fill(portions, clusters, healthy, spill):
		return OK
	case fill(portions, clusters, standby, spill):
		return Standby
	case !b.FailClosed && fill(portions, clusters, everything, spill):
		return Panic
	}
	return nothing(clusters, portions)
}

// fill gives each tier its load and each cluster its share of it. It reports whether there was anything to give.
func fill(portions []Portion, clusters []ClusterHealth, part func(ClusterHealth) float64, spill float64) bool {
	given := 0.0
	for low, high := 0, 0; low < len(portions); low = high {
		var all, fit float64
		for high = low; high < len(portions) && portions[high].Tier == portions[low].Tier; high++ {
			if !clusters[high].Drained {
				all += float64(portions[high].Weight)
				fit += float64(portions[high].Weight) * part(clusters[high])
			}
		}
		if fit == 0 {
			continue
		}
		load := min(1-given, fit/all/spill)
		for i := low; i < high; i++ {
			if !clusters[i].Drained {
				portions[i].Share = load * float64(portions[i].Weight) * part(clusters[i]) / fit
			}
		}
		given += load
	}
	if given == 0 {
		return false
	}
	for i := range portions {
		portions[i].Share *= 100 / given
	}
	return true
}

// nothing says why no cluster gets a request.
func nothing(clusters []ClusterHealth, portions []Portion) Reason {
	offered, open := false, false
	for i, c := range clusters {
		if !c.Drained && portions[i].Weight > 0 {
			offered = true
			open = open || c.Panic > 0
		}
	}
	switch {
	case !offered:
		return NoEndpoints
	case open:
		return NoneHealthy
	}
	return Unreachable
}

// why explains one portion in a few words.
func why(c ClusterHealth, p Portion, reason Reason) string {
	switch {
	case c.Drained:
		return "no endpoint takes new requests"
	case p.Weight == 0:
		return "weight 0"
	case p.Share > 0 && reason == Panic:
		return "panic: nothing is healthy, so every host is tried"
	case p.Share > 0 && reason == Standby:
		return "nothing is known to be healthy, so the reserve is used"
	case p.Share > 0 && p.Healthy*p.Capacity == 1:
		return "healthy"
	case p.Share > 0 && p.Capacity == 1:
		return fmt.Sprintf("%.0f %% healthy", p.Healthy*100)
	case p.Share > 0:
		return fmt.Sprintf("%.0f %% healthy, %.0f %% of its capacity ready", p.Healthy*100, p.Capacity*100)
	case p.Healthy > 0 && p.Capacity > 0:
		return "in reserve: the tiers before it are healthy enough"
	case p.Healthy > 0:
		return "the cluster says that no endpoint is ready"
	}
	return cmp.Or(c.Why, "no healthy host")
}

// unit brings x into 0 to 1. What is not a number counts as 0, and so does what is too small to reckon with.
func unit(x float64) float64 {
	if math.IsNaN(x) || x < 1e-9 {
		return 0
	}
	return min(1, x)
}
