package upstream

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/model"
)

var update = flag.Bool("update", false, "write the expected results again")

// TestSplit runs the cases in testdata/split.txtar: each file says the policy and the clusters, a line each, and
// after a line of dashes what must come out.
func TestSplit(t *testing.T) {
	path := filepath.Join("testdata", "split.txtar")
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range archive.Files {
		t.Run(f.Name, func(t *testing.T) {
			in, want, _ := strings.Cut(string(f.Data), "---\n")
			got := runSplit(t, in)
			if *update {
				archive.Files[i].Data = []byte(in + "---\n" + got)
			} else if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Split (-want +got):\n%s", diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// runSplit reads "spill 70", "fail closed" and "cluster NAME tier T weight W healthy H standby S panic P capacity C".
func runSplit(t *testing.T, in string) string {
	t.Helper()
	var b model.Balance
	var clusters []ClusterHealth
	for line := range strings.Lines(in) {
		switch line = strings.TrimSpace(line); {
		case line == "":
		case line == "fail closed":
			b.FailClosed = true
		case strings.HasPrefix(line, "spill "):
			fmt.Sscanf(line, "spill %d", &b.Spill)
		case strings.HasPrefix(line, "drained "):
			clusters = append(clusters, ClusterHealth{Cluster: strings.TrimPrefix(line, "drained "), Drained: true})
		default:
			var c ClusterHealth
			var s model.Share
			if _, err := fmt.Sscanf(line, "cluster %s tier %d weight %d healthy %g standby %g panic %g capacity %g",
				&c.Cluster, &s.Tier, &s.Weight, &c.Healthy, &c.Standby, &c.Panic, &c.Capacity); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			s.Cluster = c.Cluster
			b.Shares, clusters = append(b.Shares, s), append(clusters, c)
		}
	}
	slices.SortFunc(b.Shares, func(x, y model.Share) int { return strings.Compare(x.Cluster, y.Cluster) })
	portions, reason := Split(b, clusters)
	var out strings.Builder
	for _, p := range portions {
		fmt.Fprintf(&out, "%s: tier %d: %.2f %%: %s\n", p.Cluster, p.Tier, p.Share, p.Why)
	}
	if reason != OK {
		fmt.Fprintf(&out, "reason: %s\n", reason)
	}
	return out.String()
}

// scene is a policy and clusters to split over.
type scene struct {
	balance  model.Balance
	clusters []ClusterHealth
}

func drawScene(t *rapid.T) scene {
	part := rapid.OneOf(rapid.Just(0.0), rapid.Just(1.0), rapid.Float64Range(0, 1))
	s := scene{balance: model.Balance{
		Spill: rapid.IntRange(0, 100).Draw(t, "spill"), FailClosed: rapid.Bool().Draw(t, "failClosed"),
	}}
	for i := range rapid.IntRange(0, 6).Draw(t, "clusters") {
		name := string(rune('a' + i))
		s.balance.Shares = append(s.balance.Shares, model.Share{
			Cluster: name, Tier: rapid.IntRange(0, 2).Draw(t, "tier"), Weight: rapid.IntRange(0, 300).Draw(t, "weight"),
		})
		s.clusters = append(s.clusters, ClusterHealth{
			Cluster: name, Drained: rapid.Float64Range(0, 1).Draw(t, "drained") > 0.9, Healthy: part.Draw(t, "healthy"),
			Standby: part.Draw(t, "standby"), Panic: part.Draw(t, "panic"), Capacity: part.Draw(t, "capacity"),
		})
	}
	return s
}

// shares returns the shares by cluster, and their sum.
func (s scene) shares() (map[string]float64, float64, Reason) {
	portions, reason := Split(s.balance, s.clusters)
	by, sum := map[string]float64{}, 0.0
	for _, p := range portions {
		by[p.Cluster] = p.Share
		sum += p.Share
	}
	return by, sum, reason
}

func TestSplitSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		shares, sum, reason := s.shares()
		none := reason == NoEndpoints || reason == NoneHealthy || reason == Unreachable
		if none && sum != 0 || !none && math.Abs(sum-100) > 1e-6 {
			t.Fatalf("shares sum up to %v, reason %q: %v", sum, reason, shares)
		}
		for _, c := range s.clusters {
			share := shares[c.Cluster]
			switch {
			case share < 0 || math.IsNaN(share):
				t.Fatalf("%s gets %v", c.Cluster, share)
			case share > 0 && (c.Drained || s.balance.Share(c.Cluster).Weight == 0):
				t.Fatalf("%s is not to be used, but gets %v", c.Cluster, share)
			case share > 0 && reason == OK && c.Healthy*c.Capacity == 0,
				share > 0 && reason == Standby && c.Standby*c.Capacity == 0,
				share > 0 && reason == Panic && (c.Panic == 0 || s.balance.FailClosed):
				t.Fatalf("%s cannot be used (%q), but gets %v", c.Cluster, reason, share)
			}
		}
	})
}

func TestSplitIsMonotoneInWeight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		if len(s.clusters) == 0 {
			return
		}
		i := rapid.IntRange(0, len(s.clusters)-1).Draw(t, "which")
		if s.balance.Shares[i].Weight == 0 {
			s.balance.Shares[i].Weight = 1 // from nothing to something another measure of health may apply
		}
		before, _, _ := s.shares()
		s.balance.Shares[i].Weight += rapid.IntRange(1, 300).Draw(t, "more")
		after, _, _ := s.shares()
		if name := s.clusters[i].Cluster; after[name] < before[name]-1e-9 {
			t.Fatalf("more weight for %s: %v became %v", name, before[name], after[name])
		}
	})
}

// TestSplitIsContinuous: a small change of health is a small change of shares, at the spill threshold too.
func TestSplitIsContinuous(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		for i := range s.clusters {
			s.clusters[i].Healthy = 0.2 + 0.8*s.clusters[i].Healthy // away from panic, where the jump is meant
			s.clusters[i].Capacity = 1
			s.clusters[i].Drained = false
		}
		if len(s.clusters) == 0 {
			return
		}
		i := rapid.IntRange(0, len(s.clusters)-1).Draw(t, "which")
		const step = 1e-6
		before, _, _ := s.shares()
		s.clusters[i].Healthy -= step
		after, _, _ := s.shares()
		for name := range before {
			if math.Abs(after[name]-before[name]) > step*1e5 {
				t.Fatalf("share of %s jumped from %v to %v", name, before[name], after[name])
			}
		}
	})
}
