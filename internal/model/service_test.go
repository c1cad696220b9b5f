package model_test

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

func TestShare(t *testing.T) {
	own, frankfurt := model.Share{Tier: 1, Weight: 5}, model.Share{Cluster: "frankfurt"}
	balance := model.Balance{Shares: []model.Share{own, frankfurt}}
	cases := []struct {
		balance model.Balance
		cluster string
		want    model.Share
	}{
		{balance, "", own},
		{balance, "frankfurt", frankfurt}, // weight 0 stays 0
		{balance, "oslo", model.Share{Cluster: "oslo", Weight: model.DefaultShareWeight}},
		{model.Balance{}, "", model.Share{Weight: model.DefaultShareWeight}},
	}
	for _, tc := range cases {
		if got := tc.balance.Share(tc.cluster); got != tc.want {
			t.Errorf("the share of %q is %+v, want %+v", tc.cluster, got, tc.want)
		}
	}
}

func TestExportedAs(t *testing.T) {
	shop, web := model.Name{Name: "shop"}, model.Name{Namespace: "fleet", Name: "web"}
	backends := []model.Backend{{Service: model.Ref{Name: shop, Source: "file"}}, {Service: model.Ref{Name: web}}}
	cases := []struct {
		name  string
		route model.Route
		want  model.Name
	}{
		{"the first backend's", model.Route{Backends: backends}, shop},
		{"the one given", model.Route{Backends: backends, Export: model.Export{As: web}}, web},
		{"no backend", model.Route{}, model.Name{}},
	}
	for _, tc := range cases {
		if got := tc.route.ExportedAs(); got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestProblemString(t *testing.T) {
	p := model.Problem{
		Object:  model.Object{Kind: model.KindRoute, Ref: model.ParseRef("shop@file/main")},
		Code:    model.InvalidRule,
		Message: "Hst is no matcher; did you mean Host?",
	}
	want := "Hst is no matcher; did you mean Host? (invalid_rule, route shop@file/main)"
	if got := p.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	p.Field, p.At = "http.routers.shop.rule", "routes.yaml:3"
	want = "routes.yaml:3: http.routers.shop.rule: " + want
	if got := p.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Problems that differ in anything are told apart, so that sorting them leaves nothing to chance.
func TestProblemOrderIsTotal(t *testing.T) {
	problems := []model.Problem{
		{},
		{Since: time.Unix(1, 0)},
		{Message: "m"},
		{At: "a:1"},
		{Code: model.Stale},
		{Field: "f"},
		{Object: model.Object{Ref: model.Ref{Source: "file/a"}}},
		{Object: model.Object{Ref: model.ParseRef("a")}},
		{Object: model.Object{Kind: model.KindRoute}},
	}
	for i, a := range problems {
		for j, b := range problems {
			got := a.Compare(b)
			if (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("Compare(%+v, %+v) = %d", a, b, got)
			}
		}
	}
}
