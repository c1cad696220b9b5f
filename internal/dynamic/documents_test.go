package dynamic

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// whole are what files of many hands are put together from, as a rule: objects without mistakes, which look around or
// do not. %[1]s is a name that no other file has.
var whole = []string{
	"http: {routers: {%[1]sr: {rule: Host(`%[1]s.example`), service: %[1]ss}}}\n",
	"http: {routers: {%[1]sr: {rule: Host(`%[1]s.example`), service: s}, %[1]st: {rule: Path(`/`), service: s}}}\n",
	"http: {services: {%[1]ss: {loadBalancer: {servers: [{url: 'http://b'}, {url: 'http://a'}]}}}}\n",
	"http: {middlewares: {%[1]sm: {basicAuth: {usersFile: users}}, %[1]sn: {retry: {attempts: 2}}}}\n",
	"http: {serversTransports: {%[1]st: {rootCAs: [users]}}}\ntcp: {serversTransports: {%[1]st: {dialTimeout: 1s}}}\n",
	"tls: {options: {%[1]so: {minVersion: VersionTLS13}}}\n",
	"udp: {services: {%[1]ss: {loadBalancer: {servers: [{address: 'a:1'}]}}}}\n",
}

// Where there are no mistakes and no conflicts, a change is told by what changed; where there are, it makes no
// difference.
func TestDocumentsTellWhatABuildFromNothingTells(t *testing.T) {
	exchanges := 0
	rapid.Check(t, func(t *rapid.T) {
		joined, docs, users := NewDocuments("file/test"), map[string]*Document{}, "joe:{SHA}x"
		write := func(name string) {
			owner := name
			if rapid.IntRange(0, 9).Draw(t, "conflict") == 0 {
				owner = "a"
			}
			text := fmt.Sprintf(rapid.SampledFrom(whole).Draw(t, "text"), strings.TrimSuffix(owner, ".yaml"))
			docs[name] = decodeDrawn(t, name, text)
		}
		for _, name := range []string{"a.yaml", "b.yaml", "c.yaml", "d.yaml"} {
			write(name)
		}
		t.Repeat(map[string]func(*rapid.T){
			"write":  func(t *rapid.T) { write(rapid.SampledFrom([]string{"b.yaml", "c.yaml", "e.yaml"}).Draw(t, "name")) },
			"remove": func(t *rapid.T) { delete(docs, "b.yaml") },
			"users":  func(t *rapid.T) { users = rapid.SampledFrom([]string{"joe:{SHA}x", "ann:{SHA}x"}).Draw(t, "users") },
			"": func(t *rapid.T) {
				list := slices.Collect(maps.Values(docs))
				copied := *joined
				if joined.docs != nil && copied.exchange(newBuilder("file/test", []Option{filesDrawn(users)}), inOrder(list)) {
					exchanges++
				}
				got, want := joined.Build(list, filesDrawn(users)), buildDrawn(docs, users)
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("got %s\nwant, as from nothing, %s", asJSON(got), asJSON(want))
				}
			},
		})
	})
	if exchanges == 0 {
		t.Error("nothing was told by what changed")
	}
	t.Log(exchanges, "changes were told by what changed")
}
