package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/model"
)

// Snapshots of all sources, however they arrived, make the same bytes.
func TestMergeInAnyOrder(t *testing.T) {
	order := []model.Source{"file/b", "link/oslo"}
	rapid.Check(t, func(t *rapid.T) {
		from := make(map[model.Source]model.Snapshot)
		for _, source := range sources {
			from[source] = drawSnapshot(t, source)
		}
		want := encode(t, Merge(order, from))
		for range 3 {
			c := New(Options{Order: order})
			permuted := make(map[model.Source]model.Snapshot)
			for _, source := range rapid.Permutation(sources).Draw(t, "arrival") {
				permuted[source] = from[source]
				c.Set(from[source])
			}
			if diff := cmp.Diff(want, encode(t, Merge(order, permuted))); diff != "" {
				t.Fatalf("merged in another order:\n%s", diff)
			}
			if diff := cmp.Diff(want, encode(t, unversioned(c.Current()))); diff != "" {
				t.Fatalf("set in another order:\n%s", diff)
			}
		}
	})
}

// unversioned is s without its version, which counts arrivals.
func unversioned(s *model.Snapshot) *model.Snapshot {
	plain := *s
	plain.Version = 0
	return &plain
}

func TestMergeKeepsSourcesApart(t *testing.T) {
	shop := model.Name{Name: "shop"}
	a, b := &model.Service{Name: shop, Source: "docker/a"}, &model.Service{Name: shop, Source: "docker/b"}
	got := Merge(nil, map[model.Source]model.Snapshot{
		"docker/b": {Services: []*model.Service{b}},
		"docker/a": {Services: []*model.Service{a}},
	})
	if len(got.Services) != 2 || got.Services[0] != a || got.Services[1] != b {
		t.Errorf("got %s", encode(t, got))
	}
}

func TestMergePoolsFleetServices(t *testing.T) {
	shop := model.Name{Namespace: "prod", Name: "shop"}
	local := &model.Service{Name: shop, Source: "file/a", Endpoints: []model.Endpoint{{Addr: "127.0.0.1:80"}}}
	rome := &model.Service{
		Name: shop, Source: "link/rome", Protocol: model.HTTPS,
		Endpoints: []model.Endpoint{
			{Addr: "10.0.0.1:9443", Cluster: "rome", Gateway: true}, {Addr: "10.0.0.9:9443", Cluster: "rome"},
		},
		Balance: model.Balance{Picker: model.WRR, Spill: 50, Shares: []model.Share{{Cluster: "rome", Tier: 1}}},
	}
	oslo := &model.Service{
		Name: shop, Source: "link/oslo",
		Endpoints: []model.Endpoint{
			{Addr: "10.0.0.5:9443", Cluster: "oslo"}, {Addr: "10.0.0.9:9443", Cluster: "oslo"},
		},
		Balance: model.Balance{Spill: 60, Shares: []model.Share{{Cluster: "oslo", Weight: 7}}},
	}
	want := &model.Service{
		Name: shop, Source: "link", Protocol: model.HTTPS,
		Endpoints: []model.Endpoint{
			{Addr: "10.0.0.1:9443", Cluster: "rome", Gateway: true},
			{Addr: "10.0.0.5:9443", Cluster: "oslo"},
			{Addr: "10.0.0.9:9443", Cluster: "oslo"}, // both claim it: the first source has it
		},
		Balance: model.Balance{
			Picker: model.WRR, Spill: 60,
			Shares: []model.Share{{Cluster: "oslo", Weight: 7}, {Cluster: "rome", Tier: 1}},
		},
	}
	got := Merge(nil, map[model.Source]model.Snapshot{
		"file/a":    {Services: []*model.Service{local}},
		"link/rome": {Services: []*model.Service{rome}},
		"link/oslo": {Services: []*model.Service{oslo}},
	})
	if diff := cmp.Diff([]*model.Service{local, want}, got.Services); diff != "" {
		t.Error(diff)
	}
}
