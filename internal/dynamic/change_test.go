package dynamic

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/model"
)

// objects are what files are put together from: by section, things of the same few names, good and bad, alone and
// leaning on what stands elsewhere.
var objects = map[string][]string{
	"http.routers": {
		"{rule: Host(`a.example`), service: x}", "{rule: PathPrefix(`/b`), service: x, middlewares: [x, y]}",
		"{rule: Host(`a.example`), service: x@other, misspelt: 1}", "{rule: Host(, service: x}",
		"{rule: Host(`c.example`), service: y, entryPoints: [web, a, web], export: {as: n/x}}",
	},
	"http.services": {
		"{loadBalancer: {servers: [{url: 'http://b'}, {url: 'http://a'}]}}", "{weighted: {services: [{name: y}]}}",
		"{loadBalancer: {servers: [{url: 'https://a'}], serversTransport: x, healthCheck: {path: /}}}",
		"{loadBalancer: {servers: [{url: 'https://a'}], serversTransport: y@file}}", "{loadBalancer: {servers: 1}}",
	},
	"http.middlewares": {
		"{addPrefix: {prefix: /a}}", "{basicAuth: {usersFile: users}}", "{chain: {middlewares: [x, y]}}", "{retry: {a: 1}}",
	},
	"http.serversTransports": {"{serverName: a}", "{serverName: b}", "{rootCAs: [users]}", "{maxConnsPerHost: -1}"},
	"tcp.routers":            {"{rule: HostSNI(`*`), service: x}", "{rule: HostSNI(`a`), service: x, tls: {}}"},
	"tcp.services": {
		"{loadBalancer: {servers: [{address: 'a:1'}], serversTransport: x}}", "{loadBalancer: {servers: [{address: 'b:1'}]}}",
	},
	"tcp.serversTransports": {"{dialTimeout: 1s}", "{dialTimeout: 2s}", "{dialTimeout: -1s}"},
	"udp.services":          {"{loadBalancer: {servers: [{address: 'a:1'}]}}", "{loadBalancer: {}}"},
}

// drawFile draws the text of a file.
func drawFile(t *rapid.T) string {
	lanes := map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(objects)) {
		lane, section, _ := strings.Cut(path, ".")
		var named string
		for _, name := range []string{"x", "y"} {
			kinds := objects[path]
			if n := rapid.IntRange(-len(kinds), len(kinds)-1).Draw(t, path+"."+name); n >= 0 {
				named += "    " + name + ": " + kinds[n] + "\n"
			}
		}
		if named != "" {
			lanes[lane] += "  " + section + ":\n" + named
		}
	}
	var text string
	for _, lane := range slices.Sorted(maps.Keys(lanes)) {
		text += lane + ":\n" + lanes[lane]
	}
	return text
}

// Whatever was built of documents before, and whatever changed since then in others, in transports that they name and
// in files: they become what they would if all were made anew.
func TestChangesGiveWhatABuildFromNothingGives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		docs, twins := map[string]*Document{}, map[string]*Document{} // which share nothing
		joined := NewDocuments("file/test")
		var users string
		var last, shown model.Snapshot
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				name := rapid.SampledFrom([]string{"a.yaml", "b.yaml", "c.yaml"}).Draw(t, "name")
				text := drawFile(t)
				docs[name], twins[name] = decodeDrawn(t, name, text), decodeDrawn(t, name, text)
				for i := range twins[name].parts {
					twins[name].parts[i].looked = true // as if all did
				}
			},
			"remove": func(t *rapid.T) {
				name := rapid.SampledFrom([]string{"a.yaml", "b.yaml", "c.yaml"}).Draw(t, "name")
				delete(docs, name)
				delete(twins, name)
			},
			"users": func(t *rapid.T) {
				users = rapid.SampledFrom([]string{"", "joe:{SHA}x", "ann:{SHA}x"}).Draw(t, "users")
			},
			"": func(t *rapid.T) {
				got, want := buildDrawn(docs, users), buildDrawn(twins, users)
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("got %s\nwant, as from nothing, %s", asJSON(got), asJSON(want))
				}
				got = joined.Build(slices.Collect(maps.Values(docs)), filesDrawn(users))
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("with a memory: got %s\nwant, as from nothing, %s", asJSON(got), asJSON(want))
				}
				if !reflect.DeepEqual(last, shown) {
					t.Fatal("a snapshot was changed that had been published")
				}
				last, shown = got, want
			},
		})
	})
}

func decodeDrawn(t *rapid.T, name, text string) *Document {
	d, err := Decode("file/test", name, []byte(text))
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return d
}

func buildDrawn(docs map[string]*Document, users string) model.Snapshot {
	return Build("file/test", slices.Collect(maps.Values(docs)), filesDrawn(users))
}

func filesDrawn(users string) Option {
	return WithFiles(func(string) ([]byte, error) {
		if users == "" {
			return nil, errors.New("no such file")
		}
		return []byte(users), nil
	})
}

func asJSON(s model.Snapshot) []byte {
	data, err := json.Marshal(s)
	if err != nil {
		return []byte(err.Error())
	}
	return data
}

// What does not look beyond its document keeps its pointer; what does is made anew.
func TestUnchangedObjectsKeepTheirPointers(t *testing.T) {
	still := decodeFile(t, "a.yaml", `
http:
  routers: {r: {rule: "Host(`+"`a.example`"+`)", service: s}}
  services:
    s: {loadBalancer: {servers: [{url: "http://a"}]}}
    t: {loadBalancer: {servers: [{url: "https://a"}], serversTransport: t}}
  middlewares: {m: {addPrefix: {prefix: /a}}}
`)
	build := func(serverName string) model.Snapshot {
		return Build("file/test", []*Document{still, decodeFile(t, "b.yaml",
			"http: {serversTransports: {t: {serverName: "+serverName+"}}}")})
	}
	before, after := build("one"), build("two")
	if len(after.Problems) > 0 {
		t.Fatal(after.Problems)
	}
	if before.Routes[0] != after.Routes[0] || before.Services[0] != after.Services[0] ||
		before.Middlewares[0] != after.Middlewares[0] {
		t.Error("an object changed with its neighbours")
	}
	if got := after.Transports[0].TLS.ServerName; got != "two" || before.Services[1] != after.Services[1] {
		t.Errorf("the transport is that of before (%s), or the service another one", got)
	}
}

// One of a hundred files was changed, and is decoded already.
func BenchmarkChange(b *testing.B) {
	const files, routes = 100, 100
	decode := func(f int, service string) *Document {
		var text strings.Builder
		text.WriteString("http:\n  routers:\n")
		for i := range routes {
			fmt.Fprintf(&text, "    r%d:\n      rule: Host(`h%[1]d.example`)\n      service: %s\n", f*routes+i, service)
		}
		d, err := Decode("file/test", fmt.Sprintf("%03d.yaml", f), []byte(text.String()))
		if err != nil {
			b.Fatal(err)
		}
		return d
	}
	docs := make([]*Document, files)
	for f := range docs {
		docs[f] = decode(f, "s")
	}
	states := []*Document{decode(files/2, "a"), decode(files/2, "b")}
	run := func(build func([]*Document) model.Snapshot) func(b *testing.B) {
		return func(b *testing.B) {
			for n := 0; b.Loop(); n++ {
				docs[files/2] = states[n%2]
				if s := build(docs); len(s.Routes) != files*routes {
					b.Fatal(len(s.Routes))
				}
			}
		}
	}
	b.Run("nothing", run(func(docs []*Document) model.Snapshot { return Build("file/test", docs) }))
	joined := NewDocuments("file/test")
	b.Run("remembered", run(func(docs []*Document) model.Snapshot { return joined.Build(docs) }))
}
