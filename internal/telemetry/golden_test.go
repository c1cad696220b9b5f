package telemetry

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the tests get into testdata")

// golden compares got with testdata/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// exchanges are one of each sort: served, retried, made here, hostile, empty.
func exchanges() []*Exchange {
	start := time.Date(2025, 3, 1, 13, 4, 5, 6_000_000, time.FixedZone("", 3600))
	return []*Exchange{
		{
			Start: start, Duration: 12345678 * time.Nanosecond, EntryPoint: "web", Method: "GET", Proto: "HTTP/1.1",
			Scheme: "https", Host: "shop.example", Path: "/cart", ClientAddr: "192.0.2.7:41000",
			Route: "shop@file", Service: "shop/cart@link/frankfurt", Cluster: "frankfurt", Endpoint: "10.0.0.1:9443",
			Status: 200, BytesOut: 4321, Attempts: 1,
		},
		{
			Start: start, Duration: 3 * time.Second, EntryPoint: "web", Method: "PUT", Proto: "HTTP/2.0",
			Scheme: "https", Host: "shop.example:443", Path: "/cart?key=secret", ClientAddr: "[2001:db8::1]:41000",
			Route: "shop@file", Service: "shop/cart@link/frankfurt", Cluster: "paris", Endpoint: "10.1.0.1:9443",
			Status: 503, BytesIn: 100, BytesOut: 20, Attempts: 3, Mode: "panic",
		},
		{
			Start: start, Duration: 999 * time.Nanosecond, EntryPoint: "web", Method: "GET", Proto: "HTTP/1.1",
			Scheme: "http", Host: "nowhere.example", Path: "/", ClientAddr: "192.0.2.7",
			Status: 404, BytesOut: 10, Reason: "no_route",
		},
		{
			Start: start, EntryPoint: "web", Method: "G\"T", Proto: "HTTP/1.1\n", Scheme: "http", Host: "a\"\\\x1b[2J\x7f",
			Path: "/é\u202e/\xff/\U0001f680\U000e0001\r\n127.0.0.1 - - [", ClientAddr: "evil\n", Route: "shop@file",
			Service: "shop@file", Status: 401, Reason: "refused_by_apiKey",
		},
		{Start: start},
	}
}
