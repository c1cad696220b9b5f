package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/api"
)

// How objects that need a fleet, or an accident, are shown.
func TestTables(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	var got bytes.Buffer
	table := func(header string, rows ...[]string) {
		if err := writeTable(&got, strings.Fields(header), rows); err != nil {
			t.Fatal(err)
		}
		got.WriteByte('\n')
	}
	table("NAME LINK DATAPATH ADDRESS ROUTES REFUSED READY HEARTBEAT SINCE ERROR",
		clusterRow(api.Cluster{Name: "home", Link: "local", DataPath: "local", Routes: 3, Ready: 2, Total: 2}, now),
		clusterRow(api.Cluster{Name: "paris", Link: "up", DataPath: "up", Address: "192.0.2.1:9443", Routes: 1000,
			Refused: 2, Ready: 40, Total: 42, LastHeartbeat: ago(300 * time.Millisecond), Since: ago(50 * time.Hour)}, now),
		clusterRow(api.Cluster{Name: "rome", Link: "lost", DataPath: "unknown", Address: "192.0.2.2:9443",
			LastHeartbeat: ago(90 * time.Second), Since: ago(87 * time.Second), LastError: "EOF\n\x1b[31mred\ttab"}, now),
	)
	table("NAME SOURCE PROTOCOL STATUS ENDPOINTS CLUSTERS",
		serviceRow(api.Service{Name: "shop", Source: "link", Protocol: "http", Used: true, Reason: "panic",
			Clusters: []api.ClusterShare{{Cluster: "oslo", Share: 66.667}, {Cluster: "rome", Share: 33.333}},
			Endpoints: []api.Endpoint{
				{State: "ready", Weight: 1, Health: "unhealthy"},
				{State: "ready", Weight: 1, Health: "healthy", EjectedUntil: now.Add(time.Second)},
				{State: "draining", Weight: 1}, {State: "ready"}, {State: "ready", Weight: 1},
			}}, now),
	)
	table("ADDRESS CLUSTER GATEWAY HEALTH INFLIGHT LATENCY REQUESTS FAILURES ERROR",
		hostRow(api.Host{Address: "a:1", Cluster: "paris", Gateway: true, Health: "healthy", LatencyMs: 1.26,
			HeldUntil: now.Add(1)}, now),
		hostRow(api.Host{Address: "b:1", Cluster: "home", Health: "unknown", InFlight: 2, Requests: 3, Failures: 3,
			EjectedUntil: now.Add(1), LastError: "refused"}, now),
		hostRow(api.Host{Address: "c:1", Cluster: "home", Health: "healthy", EjectedUntil: ago(1)}, now),
	)
	table("OBJECT CODE FIELD AT MESSAGE",
		problemRow(api.Problem{Kind: "source", Source: "file/main", Code: "invalid_file", At: "a.yaml:3",
			Message: "no"}, now),
		problemRow(api.Problem{Kind: "cluster", Name: "paris", Code: "stale", Message: "no"}, now),
		problemRow(api.Problem{Kind: "route", Name: "a", Source: "file/main", Code: "not_granted", Reporter: "k",
			Message: "no"}, now),
	)
	table("SOURCE STATUS ROUTES SERVICES MIDDLEWARES PROBLEMS CHANGED RECONNECTS STALE ERROR",
		providerRow(api.Provider{Source: "link/paris", Status: "stale", Since: ago(5 * time.Minute), Routes: 1,
			Changed: ago(time.Hour), Reconnects: 2, Error: "connection refused"}, now))
	table("ID OWNER STATE SCOPES CREATED EXPIRES USED",
		keyRow(api.Key{ID: "a", Owner: "o", State: "active", Scopes: []string{"admin"}, Created: ago(time.Hour),
			Expires: now.Add(72 * time.Hour), LastUsed: ago(time.Second)}, now),
		keyRow(api.Key{ID: "b", State: "revoked", Created: ago(time.Hour), Expires: now.Add(time.Hour)}, now),
	)
	const golden = "testdata/tables.golden"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
