package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// providerCase is a part of an instance's file that gives one provider.
type providerCase struct {
	kind, text string
	want       Provider
}

// Every key of every kind of provider, and what a provider is when it is given the least.
func TestProviders(t *testing.T) {
	providers(t, []providerCase{
		{"docker", `{}`, Docker{
			Name: "main", Engine: defaultEngine(), Labels: defaultLabels(), AllowEmptyServices: true,
		}},
		{"docker", `{name: b, endpoint: "tcp://a.example:2376", tls: {ca: ca.pem}, username: u, password: "file:token",
			httpClientTimeout: 10, watch: false, network: back, exposedByDefault: false, defaultRule: "Host(` + "`a`" + `)",
			constraints: "Tag(1)", labelPrefixes: [x], useBindPortIP: true, allowEmptyServices: false}`, Docker{
			Name: "b", UseBindPortIP: true, Engine: Engine{
				Endpoint: "tcp://a.example:2376", TLS: &ClientTLS{CA: "/etc/ca.pem"}, Username: "u",
				Password: KeyRef{File: "/etc/token"}, HTTPClientTimeout: 10 * time.Second, Network: "back",
			}, Labels: Labels{DefaultRule: "Host(`a`)", Constraints: "Tag(1)", LabelPrefixes: []string{"x"}},
		}},
		{"http", `{endpoint: "https://a.example/x"}`, HTTP{
			Name: "main", Endpoint: "https://a.example/x", PollInterval: 5 * time.Second, PollTimeout: 5 * time.Second,
		}},
		{"http", `{name: b, endpoints: ["http://a.example", "http://[::1]:80/x"], pollInterval: 1s, pollTimeout: 2s,
			wait: 3s, headers: {X-A: b}, secretHeaders: {Authorization: "file:token"},
			tls: {ca: ca.pem, cert: /c.pem, key: /k.pem, serverName: c.example}}`, HTTP{
			Name: "b", Endpoints: []string{"http://a.example", "http://[::1]:80/x"},
			PollInterval: time.Second, PollTimeout: 2 * time.Second, Wait: 3 * time.Second,
			Headers: map[string]string{"X-A": "b"}, SecretHeaders: map[string]KeyRef{"Authorization": {File: "/etc/token"}},
			TLS: &ClientTLS{CA: "/etc/ca.pem", Cert: "/c.pem", Key: "/k.pem", ServerName: "c.example"},
		}},
		{"traefik", `{endpoint: "http://10.0.0.5:8080", entryPoints: {Web: "http://10.0.0.5:80/"}}`, Traefik{
			Name: "main", Endpoint: "http://10.0.0.5:8080", PollInterval: time.Second, PollTimeout: 5 * time.Second,
			EntryPoints: map[string][]string{"Web": {"http://10.0.0.5:80"}}, Grant: Grant{EntryPoints: []string{"web"}},
		}},
		{"traefik", `{name: b, endpoints: ["https://a.example", "https://b.example"], pollInterval: 2s, pollTimeout: 3s,
			headers: {X-A: b}, secretHeaders: {X-B: "env:B"}, username: ann, password: "file:p", tls: {ca: ca.pem},
			entryPoints: {web: ["https://10.0.0.5", "https://10.0.0.6/"]}, entryPointTLS: {ca: e.pem, serverName: c.example},
			grant: {hosts: [A.example], services: ["*"]}}`, Traefik{
			Name: "b", Endpoints: []string{"https://a.example", "https://b.example"},
			PollInterval: 2 * time.Second, PollTimeout: 3 * time.Second,
			Headers: map[string]string{"X-A": "b"}, SecretHeaders: map[string]KeyRef{"X-B": {Env: "B"}},
			Username: "ann", Password: KeyRef{File: "/etc/p"}, TLS: &ClientTLS{CA: "/etc/ca.pem"},
			EntryPoints:   map[string][]string{"web": {"https://10.0.0.5", "https://10.0.0.6"}},
			EntryPointTLS: &EntryPointTrust{CA: "/etc/e.pem", ServerName: "c.example"},
			Grant:         Grant{Hosts: []string{"a.example"}, Services: []string{"*"}, EntryPoints: []string{"web"}},
		}},
		{"etcd", "{}", Etcd{KeyStore{Name: "main", Endpoints: []string{"127.0.0.1:2379"}, RootKey: "traefik"}}},
		{"etcd", "{name: b, endpoints: [a:1, b:2], rootKey: /x/y/, username: ann, password: file:p, tls: {}}", Etcd{KeyStore{
			Name: "b", Endpoints: []string{"a:1", "b:2"}, RootKey: "x/y", Username: "ann", Password: KeyRef{File: "/etc/p"},
			TLS: &ClientTLS{},
		}}},
		{"consulcatalog", "{}", ConsulCatalog{
			Name: "main", Endpoint: ConsulEndpoint{Address: "127.0.0.1:8500"}, ExposedByDefault: true,
			DefaultRule: "Host(`{{ normalize .Name }}`)", StrictChecks: []string{"passing", "warning"},
			ServiceName: "traefik",
		}},
		{"consulCatalog", `{name: b, endpoint: {address: "a:1", scheme: HTTPS, datacenter: dc2, token: "file:t",
			httpAuth: {username: ann, password: "file:p"}}, prefix: x, exposedByDefault: false, defaultRule: r, constraints: c,
			strictChecks: [passing], namespace: n, requireConsistent: true,
			connectAware: true, connectByDefault: true, serviceName: edge}`, ConsulCatalog{
			Name: "b", Endpoint: ConsulEndpoint{
				Address: "a:1", Scheme: "https", Datacenter: "dc2", Token: KeyRef{File: "/etc/t"}, TLS: &ClientTLS{},
				HTTPAuth: &ConsulHTTPAuth{Username: "ann", Password: KeyRef{File: "/etc/p"}},
			},
			Prefix: "x", DefaultRule: "r", Constraints: "c", StrictChecks: []string{"passing"}, Namespace: "n",
			RequireConsistent: true, ConnectAware: true, ConnectByDefault: true, ServiceName: "edge",
		}},
		{"consul", "{namespaces: [team]}", ConsulKV{
			KeyStore:  KeyStore{Name: "main", Endpoints: []string{"127.0.0.1:8500"}, RootKey: "traefik"},
			Namespace: "team",
		}},
		{"consul", "{token: env:TOKEN, datacenter: dc2, namespace: team}", ConsulKV{
			KeyStore: KeyStore{Name: "main", Endpoints: []string{"127.0.0.1:8500"}, RootKey: "traefik"},
			Token:    KeyRef{Env: "TOKEN"}, Datacenter: "dc2", Namespace: "team",
		}},
		{"redis", "{endpoints: [a:1, b:2], db: 3, sentinel: {masterName: m, username: s, password: file:/s}}", Redis{
			KeyStore: KeyStore{Name: "main", Endpoints: []string{"a:1", "b:2"}, RootKey: "traefik"}, DB: 3,
			Sentinel: &RedisSentinel{MasterName: "m", Username: "s", Password: KeyRef{File: "/s"}},
		}},
		{"zookeeper", "{}", ZooKeeper{KeyStore{Name: "main", Endpoints: []string{"127.0.0.1:2181"}, RootKey: "traefik"}}},
	})
}

func TestProvidersOfMachines(t *testing.T) {
	providers(t, []providerCase{
		{"machines", `{defaultRule: "Host(x)"}`, Machines{Name: "main", DefaultRule: "Host(x)"}},
		{"dns", "{services: {shop: {name: shop.example, port: 80}}}", DNS{
			Name: "main", Timeout: 2 * time.Second, MinTTL: 5 * time.Second, MaxTTL: 10 * time.Minute,
			EmptyAfter: 30 * time.Second, Services: map[string]DNSService{"shop": {Name: "shop.example", Port: 80}},
		}},
		{"dns", `{name: b, servers: ["10.0.0.2:5353", "::1", "ns.example"], timeout: 1s, minTTL: 2s, maxTTL: 3s,
			emptyAfter: 0, defaultRule: r,
			services: {a: {name: _a._tcp.example., type: SRV, scheme: https, labels: {x: z}, txt: true}}}`, DNS{
			Name: "b", Servers: []string{"10.0.0.2:5353", "[::1]:53", "ns.example:53"}, Timeout: time.Second,
			MinTTL: 2 * time.Second, MaxTTL: 3 * time.Second, DefaultRule: "r", Services: map[string]DNSService{"a": {
				Name: "_a._tcp.example.", Type: "SRV", Scheme: "https", Labels: map[string]string{"x": "z"}, TXT: true,
			}},
		}},
		{"services", "{directory: services}", Services{
			Name: "main", Place: Place{Directory: "/etc/services"},
			Labels: Labels{ExposedByDefault: true, LabelPrefixes: []string{"fairlead", "traefik"}},
		}},
		{"services", `{name: b, filename: /x.json, exposedByDefault: false, defaultRule: r, constraints: c,
			labelPrefixes: [x]}`, Services{
			Name: "b", Place: Place{Filename: "/x.json"},
			Labels: Labels{DefaultRule: "r", Constraints: "c", LabelPrefixes: []string{"x"}},
		}},
	})
}

// providers reads each of the cases from a file in /etc.
func providers(t *testing.T, cases []providerCase) {
	t.Helper()
	for _, test := range cases {
		t.Run(test.kind, func(t *testing.T) {
			text := "entryPoints: {web: {address: ':80'}}\nproviders: {" + test.kind + ": " + test.text + "}\n"
			c, err := parse("fairlead.yaml", "/etc", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]Provider{test.want}, c.Providers); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
