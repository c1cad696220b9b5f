package dynamic

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

const labelsHead = `
## In labels

What the tables above say of a key holds in [labels](labels.md), too, unless it stands here. ` +
	"`server` is the workload\nitself, the one item of `servers`." + ` What Traefik keeps for files can be said as well:
` + "`weighted`, `failover`, `mirroring`, `highestRandomWeight`, `serversTransports`, `tls.options`" + `.

| key | in labels |
|---|---|
`

const labelsOfProviders = `
These are no keys of the format, and read in labels and tags alone. *By the provider* says that the label is one of
those that providers ask for; the last column says which.

| label | served | note |
|---|---|---|
`

const labelsOfOurs = `
Traefik does not know these:

| label | served | note |
|---|---|---|
`

// labelSection is what the page says of labels.
func labelSection(t *testing.T, samples []sample) []byte {
	t.Helper()
	var keys, theirs, ours bytes.Buffer
	for _, s := range samples {
		if served := s.inLabels(t); served != "" {
			fmt.Fprintf(&keys, "| `%s` | %s |\n", s.key, served)
		}
	}
	text, err := os.ReadFile("testdata/labels.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line[0] == '#' {
			continue
		}
		label, note, _ := strings.Cut(strings.TrimRight(line, "\n"), "\t")
		label, isOurs := strings.CutPrefix(label, "+")
		label, beside, _ := strings.Cut(label, " ")
		key, value, _ := strings.Cut(label, "=")
		out, served := &theirs, labelServed(t, key, value, beside)
		if isOurs {
			out = &ours
		}
		if isOurs && served != "yes" {
			t.Errorf("%s: %s", key, served)
		}
		fmt.Fprintf(out, "| `%s` | %s | %s |\n", key, served, note)
	}
	for _, name := range settings {
		if !strings.Contains(theirs.String(), "`traefik."+name+"`") {
			t.Errorf("testdata/labels.txt says nothing of %s", name)
		}
	}
	return slices.Concat([]byte(labelsHead), keys.Bytes(), []byte(labelsOfProviders), theirs.Bytes(),
		[]byte(labelsOfOurs), ours.Bytes())
}

// inLabels says what is wrong with a key in labels that is right in a file; "": nothing.
func (s sample) inLabels(t *testing.T) string {
	t.Helper()
	labels := map[string]string{}
	flatten(labels, "traefik", s.root(t))
	told := map[string]bool{}
	for _, p := range s.snapshot(t).Problems {
		told[string(p.Code)+p.Message] = true
	}
	for _, p := range buildLabels(t, labels).Problems {
		// What the key needs beside it is looked at elsewhere.
		about := strings.HasPrefix(withoutIndexes(p.Field), strings.ReplaceAll(s.key, "[]", ""))
		if about && !told[string(p.Code)+p.Message] {
			message, _, _ := strings.Cut(p.Message, ";")
			return fmt.Sprintf("no: `%s`, %s", p.Code, message)
		}
	}
	return ""
}

// flatten writes a document as labels.
func flatten(labels map[string]string, path string, value any) {
	switch v := value.(type) {
	case map[string]any:
		if len(v) == 0 {
			labels[path] = "true"
		}
		for key, below := range v {
			flatten(labels, path+"."+key, below)
		}
	case []any:
		for i, item := range v {
			flatten(labels, fmt.Sprintf("%s[%d]", path, i), item)
		}
	case float64:
		labels[path] = strconv.FormatFloat(v, 'f', -1, 64)
	default:
		labels[path] = fmt.Sprint(v)
	}
}

func buildLabels(t *testing.T, labels map[string]string) model.Snapshot {
	t.Helper()
	w, err := NewWorkloads("docker/main", WorkloadOptions{ExposedByDefault: true, DefaultRule: DefaultRule})
	if err != nil {
		t.Fatal(err)
	}
	one := Workload{
		Name: "NAME", Instance: "container NAME", Host: "10.0.0.1", Labels: labels,
		Ports: []WorkloadPort{{Number: 80}, {Number: 80, UDP: true}},
	}
	if labels["traefik.consulcatalog.connect"] != "" {
		one.Mesh, one.PeerID = "consulCatalog/main", "spiffe://a.consul/shop"
	}
	return w.Build([]Workload{one})
}

// labelServed says in the words of the page what becomes of one label, beside another one ("": none).
func labelServed(t *testing.T, key, value, beside string) string {
	t.Helper()
	labels := map[string]string{}
	if other, text, ok := strings.Cut(beside, "="); ok {
		labels[other] = text
	}
	_, path, _ := strings.Cut(key, ".")
	if lane, _, _ := strings.Cut(path, "."); lane == "tcp" || lane == "udp" { // without it, there is no such service
		labels["traefik."+lane+".services.NAME.loadbalancer"] = "true"
	}
	before := buildLabels(t, labels)
	labels[key] = value
	after := buildLabels(t, labels)
	var codes []string
	for _, p := range after.Problems {
		codes = append(codes, "`"+string(p.Code)+"`")
	}
	switch {
	case len(codes) > 0 && (len(after.Services) == 0 || len(after.Routes) == 0):
		return fmt.Sprintf("no: %s, the object is not served", strings.Join(slices.Compact(codes), ", "))
	case len(codes) > 0:
		return fmt.Sprintf("no: %s, the label is ignored", strings.Join(slices.Compact(codes), ", "))
	case !reflect.DeepEqual(before, after):
		return "yes"
	case slices.Contains(settings, path):
		return "yes: by the provider"
	}
	t.Errorf("%s is passed over in silence", key)
	return ""
}
