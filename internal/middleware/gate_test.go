package middleware_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/middleware"
	"github.com/fairlead/fairlead/internal/model"
)

func gate(t *testing.T, s *middleware.Set, m model.Middleware) middleware.Gate {
	t.Helper()
	m.Name, m.Source, m.Lane = model.Name{Name: "m"}, "file", model.LaneTCP
	g, err := s.Gate(&m)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func refusal(g middleware.Gate, client string) string {
	_, refused := g(netip.MustParseAddr(client))
	return refused
}

func TestGateIPAllowList(t *testing.T) {
	g := gate(t, middleware.NewSet(middleware.Options{}), model.Middleware{
		IPAllowList: &model.IPAllowList{Ranges: []string{"192.0.2.0/24"}},
	})
	for client, want := range map[string]string{
		"192.0.2.9": "", "::ffff:192.0.2.9": "", "198.51.100.1": "refused_by_ipAllowList",
	} {
		if got := refusal(g, client); got != want {
			t.Errorf("%s: %q, want %q", client, got, want)
		}
	}
}

func TestGateInFlightConn(t *testing.T) {
	s := middleware.NewSet(middleware.Options{})
	two := model.Middleware{InFlightConn: &model.InFlightConn{Amount: 2}}
	g := gate(t, s, two)
	a := netip.MustParseAddr("192.0.2.1")
	release, refused := g(a)
	if refused != "" || refusal(g, "192.0.2.1") != "" || refusal(g, "192.0.2.2") != "" {
		t.Fatal("refused too early")
	}
	g = gate(t, s, two) // made again for another generation, it goes on counting
	s.Keep(nil, nil)
	if got := refusal(g, "192.0.2.1"); got != "refused_by_inFlightConn" {
		t.Errorf("the third: %q", got)
	}
	release()
	if got := refusal(g, "192.0.2.1"); got != "" {
		t.Errorf("after one has ended: %q", got)
	}
}

func TestGateRateLimit(t *testing.T) {
	g := gate(t, middleware.NewSet(middleware.Options{}), model.Middleware{
		RateLimit: &model.RateLimit{
			Average: 1, Period: time.Hour, Burst: 2,
			Criterion: model.Criterion{ClientAddress: model.ClientAddress{IPv6Subnet: 64}},
		},
	})
	for _, client := range []string{"2001:db8::1", "2001:db8::2"} {
		if got := refusal(g, client); got != "" {
			t.Errorf("%s: %q", client, got)
		}
	}
	if got := refusal(g, "2001:db8::3"); got != "refused_by_rateLimit" {
		t.Errorf("the third of a subnet: %q", got)
	}
	if got := refusal(g, "2001:db8:1::1"); got != "" {
		t.Errorf("another subnet: %q", got)
	}
}

func TestGateMistakes(t *testing.T) {
	for _, m := range []model.Middleware{
		{}, {Headers: &model.Headers{}}, {InFlightConn: &model.InFlightConn{Amount: -1}},
		{IPAllowList: &model.IPAllowList{}}, {RateLimit: &model.RateLimit{Average: -1}},
	} {
		if _, err := middleware.NewSet(middleware.Options{}).Gate(&m); err == nil {
			t.Errorf("%+v makes a gate", m)
		}
	}
}
