package catalog

import (
	"encoding/json"
	"fmt"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// encode renders v for comparisons: what must not differ, and what must not be written to once it was published.
func encode(t rapid.TB, v any) string {
	t.Helper()
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Few sources and few names, so that clusters share services and edits meet.
var (
	sources = []model.Source{"docker/x", "file/a", "file/b", "link/kyiv", "link/oslo", "link/rome"}
	names   = []string{"a", "b", "c", "d"}
)

// drawSnapshot draws what a provider might publish: sorted, each object once.
func drawSnapshot(t *rapid.T, source model.Source) model.Snapshot {
	s := model.Snapshot{Source: source, Version: 1}
	for _, name := range names {
		name := model.Name{Name: name}
		if rapid.Bool().Draw(t, "has a service") {
			s.Services = append(s.Services, drawService(t, name, source))
		}
		if rapid.Bool().Draw(t, "has a route") {
			priority := rapid.IntRange(1, 2).Draw(t, "priority")
			s.Routes = append(s.Routes, &model.Route{Name: name, Source: source, Priority: priority})
		}
		if rapid.IntRange(0, 3).Draw(t, "has a middleware") == 0 {
			s.Middlewares = append(s.Middlewares, &model.Middleware{Name: name, Source: source, Retry: &model.Retry{}})
		}
		if rapid.IntRange(0, 3).Draw(t, "has a transport") == 0 {
			s.Transports = append(s.Transports, &model.Transport{Name: name, Source: source})
		}
		if rapid.IntRange(0, 3).Draw(t, "has a problem") == 0 {
			s.Problems = append(s.Problems, model.Problem{Code: model.InvalidRule, Message: name.Name})
		}
	}
	s.Sort()
	return s
}

func drawService(t *rapid.T, name model.Name, source model.Source) *model.Service {
	s := &model.Service{
		Name:     name,
		Source:   source,
		Protocol: rapid.SampledFrom([]model.Protocol{"", model.HTTPS, model.H2C}).Draw(t, "protocol"),
		Balance: model.Balance{
			Picker: rapid.SampledFrom([]model.Picker{"", model.WRR}).Draw(t, "picker"),
			Spill:  rapid.IntRange(0, 1).Draw(t, "spill"),
		},
	}
	for _, port := range rapid.SliceOfNDistinct(rapid.IntRange(1, 4), 0, 3, rapid.ID).Draw(t, "ports") {
		endpoint := model.Endpoint{Addr: fmt.Sprintf("10.0.0.1:%d", port), Cluster: source.Instance()}
		s.Endpoints = append(s.Endpoints, endpoint)
	}
	if rapid.Bool().Draw(t, "has a share") {
		s.Balance.Shares = []model.Share{{Cluster: source.Instance(), Weight: 1}}
	}
	return s
}
