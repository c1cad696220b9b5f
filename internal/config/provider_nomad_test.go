package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNomad(t *testing.T) {
	least := Nomad{
		Name: "main", Endpoint: NomadEndpoint{Address: "http://127.0.0.1:4646"}, Namespaces: []string{"default"},
		ExposedByDefault: true, DefaultRule: "Host(`{{ normalize .Name }}`)", AllowEmptyServices: true,
		CheckInterval: 2 * time.Second,
	}
	first, second := least, least
	first.Name, first.Namespaces = "b-default", []string{"default"}
	second.Name, second.Namespaces = "b-team", []string{"Team"}
	for _, test := range []struct {
		text string
		want []Provider
	}{
		{"{}", []Provider{least}},
		{`{name: b, endpoint: {address: "https://a:1/", region: eu, token: "file:t", tls: {ca: ca.pem}},
			namespaces: [team], prefix: x, exposedByDefault: false, defaultRule: r, constraints: c,
			allowEmptyServices: false, stale: true, checkInterval: 0}`, []Provider{Nomad{
			Name: "b", Endpoint: NomadEndpoint{
				Address: "https://a:1", Region: "eu", Token: KeyRef{File: "/etc/t"}, TLS: &ClientTLS{CA: "/etc/ca.pem"},
			},
			Namespaces: []string{"team"}, Prefix: "x", DefaultRule: "r", Constraints: "c", Stale: true,
		}}},
		{"{name: b, namespaces: [default, Team]}", []Provider{first, second}}, // each is a provider of its own
	} {
		text := "entryPoints: {web: {address: ':80'}}\nproviders: {nomad: " + test.text + "}\n"
		c, err := parse("fairlead.yaml", "/etc", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, c.Providers); diff != "" {
			t.Errorf("%s: -want +got:\n%s", test.text, diff)
		}
	}
}
