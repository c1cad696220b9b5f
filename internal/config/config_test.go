package config

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/fairlead/fairlead/internal/model"
)

var update = flag.Bool("update", false, "rewrite what the tests expect")

func load(t *testing.T, name, text string) (*Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(file)
}

// full loads the configuration of testdata/full.txtar as if it stood in /etc/fairlead.
func full(t *testing.T) map[string]*Config {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/full.txtar")
	if err != nil {
		t.Fatal(err)
	}
	configs := map[string]*Config{}
	for _, f := range archive.Files {
		c, err := parse(f.Name, "/etc/fairlead", f.Data)
		if err != nil {
			t.Fatal(err)
		}
		configs[filepath.Ext(f.Name)] = c
	}
	return configs
}

var netips = cmp.Comparer(func(a, b Network) bool { return a == b })

func TestFormatsAreEqual(t *testing.T) {
	configs := full(t)
	for _, ext := range []string{".toml", ".json"} {
		if diff := cmp.Diff(configs[".yaml"], configs[ext], netips); diff != "" {
			t.Errorf("%s differs from YAML (-yaml +%s):\n%s", ext, ext, diff)
		}
	}
}

func TestEveryField(t *testing.T) {
	network := func(s string) Network {
		var n Network
		if err := n.UnmarshalText([]byte(s)); err != nil {
			t.Fatal(err)
		}
		return n
	}
	web := defaultEntryPoint("web")
	web.Address = EntryAddress{Address: ":8080"}
	want := &Config{
		Cluster: "edge-1",
		EntryPoints: []EntryPoint{web, {
			Name: "websecure", Address: EntryAddress{Address: "[::1]:8443"}, AsDefault: true,
			ProxyProtocol:    &ProxyProtocol{TrustedIPs: []Network{network("10.0.0.0/8"), network("192.0.2.7/32")}},
			ForwardedHeaders: ForwardedHeaders{TrustedIPs: []Network{network("10.1.0.0/16")}, Insecure: true, Forwarded: true},
			Via:              Via{Name: "edge-1"},
			Transport: Transport{
				RespondingTimeouts: RespondingTimeouts{
					ReadTimeout: 90 * time.Second, WriteTimeout: 20 * time.Second, HeaderTimeout: 3 * time.Second,
					StallTimeout: 30 * time.Second,
				},
				LifeCycle: LifeCycle{RequestAcceptGraceTimeout: 2 * time.Second},
			},
			Limits: Limits{HeaderBytes: 32768, Headers: 100, Connections: 5000, ConnectionsPerClient: 50},
			HTTP2:  HTTP2{MaxConcurrentStreams: 100},
			TCP:    TCP{IdleTimeout: 10 * time.Minute},
			UDP:    UDP{Timeout: 3 * time.Second},

			Observability: Observability{TraceVerbosity: "minimal"},
			TLS: &TLS{
				MinVersion:   "1.3",
				Certificates: []KeyPair{{CertFile: "/etc/fairlead/certs/a.pem", KeyFile: "/etc/keys/a.pem"}},
			},
		}},
		Providers: []Provider{
			File{Name: "main", Place: Place{Directory: "/etc/fairlead/routes"}, Watch: true},
			File{Name: "extra", Place: Place{Filename: "/etc/fairlead/extra.toml"}},
		},
		Link: &Link{
			Address: ":9444", Names: []string{"edge.example", "192.0.2.1"},
			TLS: &KeyPair{CertFile: "/etc/fairlead/link.pem", KeyFile: "/etc/fairlead/link-key.pem"},
		},
		Export: Export{Transit: true},
		Clusters: []Cluster{
			{
				Name: "paris", Addresses: []string{"paris-1.example:9443", "[2001:db8::1]:9443"},
				Key: KeyRef{File: "/etc/fairlead/paris.key"}, CA: CA{File: "/etc/fairlead/paris-ca.pem"},
				ServerName: "paris.example",
				Grant: Grant{
					Hosts: []string{"*.shop.example", "a.example"}, Paths: []string{"/x"}, EntryPoints: []string{"web"},
					Services: []string{"shop", "team-a/*"},
				},
				Tier: 1, Weight: 50, StaleAfter: time.Hour,
			},
			{
				Name: "oslo", Addresses: []string{"oslo.example:9443"}, Key: KeyRef{Env: "OSLO_KEY"},
				CA:     CA{SHA256: strings.Repeat("00112233445566778899aabbccddeeff", 2)},
				Grant:  Grant{Hosts: []string{"*"}, EntryPoints: []string{"websecure"}, Services: []string{"*"}},
				Weight: 100,
			},
		},
		Precedence: []string{"oslo", "paris"},
		Services: []Service{{Name: model.Name{Namespace: "team-a", Name: "shop"}, Balance: model.Balance{
			Picker: model.WRR, Spill: 50, FailClosed: true,
			Shares: []model.Share{{Cluster: "", Tier: 2, Weight: 100}, {Cluster: "oslo", Weight: 10}},
		}, Sticky: &model.Sticky{
			Name: "place", Path: "/shop", Domain: "shop.example", SameSite: "lax", MaxAge: 60, Secure: true, HTTPOnly: true,
		}}},
		Store: Store{Path: "/etc/fairlead/data"},
		API: API{
			Address: "0.0.0.0:9081",
			TLS:     &KeyPair{CertFile: "/etc/fairlead/api.pem", KeyFile: "/etc/fairlead/api-key.pem"},
		},
		Log:           Log{Level: "debug", Format: "text"},
		AccessLog:     &AccessLog{FilePath: "/etc/fairlead/access.log", Format: "common"},
		SPIFFE:        &SPIFFE{WorkloadAPIAddr: "unix:///run/spire/agent.sock"},
		Prometheus:    &Prometheus{Address: "127.0.0.1:9100"},
		Tracing:       fullTracing(),
		StartDeadline: 5 * time.Second,
	}
	if diff := cmp.Diff(want, full(t)[".yaml"], netips); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func fullTracing() *Tracing {
	return &Tracing{
		ServiceName: "edge", ResourceAttributes: map[string]string{"deployment": "blue"}, SampleRate: 0.5,
		CapturedRequestHeaders: []string{"X-Shop"}, CapturedAnswerHeaders: []string{"X-Answer", "X-Other"},
		SafeQueryParams: []string{"page"},
		OTLP: OTLP{GRPC: &OTLPGRPC{
			Endpoint: "collector.example:4317",
			Headers: map[string]Header{
				"X-Scope": {Text: "shop"}, "Authorization": {Kept: KeyRef{File: "/etc/fairlead/collector.key"}},
			},
			TLS: &ClientTLS{
				CA: "/etc/fairlead/ca.pem", Cert: "/etc/a.pem", Key: "/etc/a-key.pem", ServerName: "a.example",
			},
		}},
	}
}

func TestDefaults(t *testing.T) {
	c, err := load(t, "fairlead.yaml", "entryPoints: {b: {address: ':80'}, a: {address: ':81'}}\n"+
		"link: {}\naccessLog: {}\nproviders: {file: {filename: r.yml}}\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.EntryPoints) != 2 || c.EntryPoints[0].Name != "a" ||
		!c.EntryPoints[0].AsDefault || !c.EntryPoints[1].AsDefault {
		t.Errorf("entry points %+v, want a and b, both default ones", c.EntryPoints)
	}
	e, usual := c.EntryPoints[0], defaultEntryPoint("a")
	if e.Transport != usual.Transport || e.Limits.HeaderBytes != 64<<10 || e.HTTP2.MaxConcurrentStreams != 250 {
		t.Errorf("entry point %+v lacks defaults", e)
	}
	if c.Link.Address != ":9443" || c.AccessLog.Format != "json" || c.AccessLog.FilePath != "" ||
		c.Cluster != "local" ||
		c.API.Address != "127.0.0.1:9080" || c.Log != (Log{"info", "json"}) || c.StartDeadline != 10*time.Second ||
		c.Prometheus != nil || c.Tracing != nil ||
		filepath.Base(c.Store.Path) != "fairlead-data" || !filepath.IsAbs(c.Store.Path) {
		t.Errorf("%+v lacks defaults", c)
	}
	path := filepath.Join(filepath.Dir(c.Store.Path), "r.yml")
	if f := c.Providers[0].(File); f.Source() != "file/main" || !f.Watch || f.Path() != path {
		t.Errorf("file provider %+v", f)
	}
}

func TestOrder(t *testing.T) {
	c := full(t)[".yaml"]
	want := []model.Source{"file/main", "file/extra", "link/oslo", "link/paris"}
	if got := c.Order(); !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
	want = []model.Source{"file/main", "file/extra", "link/paris", "link/oslo"}
	if got := c.Sources(); !slices.Equal(got, want) {
		t.Errorf("sources %v, want %v", got, want)
	}
}

func TestPolicy(t *testing.T) {
	c := full(t)[".yaml"]
	paris := model.Share{Cluster: "paris", Tier: 1, Weight: 50}
	want := []model.Share{{Tier: 2, Weight: 100}, {Cluster: "oslo", Weight: 10}, paris}
	got, sticky := c.Policy(model.ParseName("team-a/shop"))
	if !slices.Equal(got.Shares, want) || got.Picker != model.WRR || sticky == nil || sticky.Name != "place" {
		t.Errorf("team-a/shop: %+v, %v, want the shares %+v", got, sticky, want)
	}
	got, sticky = c.Policy(model.ParseName("other"))
	if !slices.Equal(got.Shares, []model.Share{paris}) || got.Picker != "" || sticky != nil {
		t.Errorf("other: %+v, %v, want what clusters says of paris", got, sticky)
	}
}

func TestMistakes(t *testing.T) {
	files, err := filepath.Glob("testdata/mistakes/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases (%v)", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			in, want := archive.Files[0], &archive.Files[1]
			_, err = parse(in.Name, "/etc/fairlead", in.Data)
			if _, ok := errors.AsType[Errors](err); !ok {
				t.Fatalf("error %v, want Errors", err)
			}
			got := []byte(err.Error() + "\n")
			if strings.Contains(err.Error(), "secret_sum") {
				t.Error("a mistake repeats a secret")
			}
			if *update {
				want.Data = got
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(got, want.Data) {
				t.Errorf("-want +got:\n%s", cmp.Diff(string(want.Data), string(got)))
			}
		})
	}
}

func TestLoadNoFile(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want that the file does not exist", err)
	}
}

func TestKeyRef(t *testing.T) {
	for _, text := range []string{"file:/etc/fairlead/paris.key", "env:PARIS_KEY"} {
		var k KeyRef
		if err := k.UnmarshalText([]byte(text)); err != nil || k.String() != text {
			t.Errorf("%s: %s, %v", text, k, err)
		}
	}
}

func TestAddress(t *testing.T) {
	for text, loopback := range map[string]bool{
		"127.0.0.1:1": true, "localhost:1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true,
		":1": false, "0.0.0.0:1": false, "192.0.2.1:1": false, "host.example:1": false,
	} {
		var a Address
		if err := a.UnmarshalText([]byte(text)); err != nil || a.Loopback() != loopback {
			t.Errorf("%s: loopback %v (%v), want %v", text, a.Loopback(), err, loopback)
		}
	}
	for _, test := range []struct {
		a, b Address
		want bool
	}{
		{":80", ":80", true}, {":80", "127.0.0.1:80", true}, {"127.0.0.1:80", "127.0.0.2:80", false},
		{":0", ":0", false}, {":80", ":81", false}, {"[::]:80", "192.0.2.1:80", true}, {"", "", false},
	} {
		if test.a.clashes(test.b) != test.want || test.b.clashes(test.a) != test.want {
			t.Errorf("%q and %q clash: %v, want %v", test.a, test.b, !test.want, test.want)
		}
	}
}

func FuzzConfig(f *testing.F) {
	for _, pattern := range []string{"testdata/*.txtar", "testdata/mistakes/*.txtar"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				f.Fatal(err)
			}
			for _, part := range archive.Files {
				f.Add(filepath.Ext(part.Name), part.Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, ext string, data []byte) {
		file := "fairlead" + ext
		c, err := parse(file, "/etc/fairlead", data)
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v, error %v: want one of them", c, err)
		}
		if c != nil {
			c.Order()
			c.Policy(model.Name{})
			return
		}
		mistakes, ok := errors.AsType[Errors](err)
		if !ok || len(mistakes) == 0 {
			t.Fatalf("error %v, want Errors", err)
		}
		for _, m := range mistakes {
			if m.Message == "" || m.At.File != file {
				t.Errorf("mistake %+v lacks a place or a message", m)
			}
		}
		if again, err := parse(file, "/etc/fairlead", data); err == nil || err.Error() != mistakes.Error() {
			t.Errorf("a second look gives %v, %v", again, err)
		}
	})
}

func TestHTTP3(t *testing.T) {
	for text, want := range map[string]*HTTP3{
		"":                     nil,
		"http3:":               nil,
		"http3: {}":            {},
		"http3: {zeroRTT: on}": nil,
		"http3: {advertisedPort: 443, zeroRTT: true}": {AdvertisedPort: 443, ZeroRTT: true},
	} {
		c, err := load(t, "fairlead.yaml", "entryPoints:\n  web:\n    address: :443\n"+
			"    tls: {certificates: [{certFile: a.pem, keyFile: a-key.pem}]}\n    "+text)
		if (err != nil) != strings.Contains(text, "on}") {
			t.Errorf("%q: %v", text, err)
		}
		if err == nil && !cmp.Equal(c.EntryPoints[0].HTTP3, want) {
			t.Errorf("%q: %+v, want %+v", text, c.EntryPoints[0].HTTP3, want)
		}
	}
}
