package dynamic

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/fairlead/fairlead/internal/model"
)

// Every testdata/workloads/*.txtar holds workloads of one source, a file each: facts ("@host 10.0.0.1") and labels. The
// comment may hold options, in lines that begin with "@".
func TestWorkloads(t *testing.T) {
	paths, err := filepath.Glob("testdata/workloads/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			w, list := readWorkloads(t, a)
			golden(t, a, path, w.Build(list))
		})
	}
}

func readWorkloads(t *testing.T, a *txtar.Archive) (*Workloads, []Workload) {
	t.Helper()
	o := WorkloadOptions{ExposedByDefault: true, DefaultRule: DefaultRule}
	for line := range strings.Lines(string(a.Comment)) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), " "); key {
		case "@hidden":
			o.ExposedByDefault = false
		case "@rule":
			o.DefaultRule = value
		case "@constraints":
			o.Constraints = value
		}
	}
	w, err := NewWorkloads("docker/main", o)
	if err != nil {
		t.Fatal(err)
	}
	var list []Workload
	for _, f := range a.Files {
		if f.Name != "snapshot" && f.Name != "problems" {
			list = append(list, readWorkload(t, f.Name, string(f.Data), len(list)))
		}
	}
	return w, list
}

func readWorkload(t *testing.T, name, text string, n int) Workload {
	t.Helper()
	w := Workload{
		Name: strings.TrimRight(PlainName(name), "-0123456789"), Instance: "container " + name, Labels: map[string]string{},
		Host: fmt.Sprintf("10.0.0.%d", n+1), Ports: []WorkloadPort{{Number: 80}}, Created: time.Unix(int64(n), 0),
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		fact, ok := strings.CutPrefix(line, "@")
		if !ok {
			label, value, _ := strings.Cut(line, "=")
			w.Labels[label] = value
			continue
		}
		key, value, _ := strings.Cut(fact, " ")
		switch key {
		case "name":
			w.Name = value
		case "created":
			seconds, _ := strconv.Atoi(value)
			w.Created = time.Unix(int64(seconds), 0)
		case "namespace":
			w.Namespace, w.Short, _ = strings.Cut(value, "/")
		case "host":
			w.Host = value
		case "mesh":
			w.Mesh, w.PeerID = "consulCatalog/main", value
		case "trouble":
			w.Trouble = value
		case "state":
			w.State = model.EndpointState(value)
		case "weight":
			w.Weight, _ = strconv.Atoi(value)
		case "tags":
			w.Tags = strings.Fields(value)
		case "ports":
			w.Ports = readPorts(value)
		default:
			t.Fatalf("no such fact: %s", key)
		}
	}
	return w
}

// readPorts reads "80 53/udp 81>1.2.3.4:8081".
func readPorts(text string) (ports []WorkloadPort) {
	for one := range strings.FieldsSeq(text) {
		one, addr, _ := strings.Cut(one, ">")
		one, udp := strings.CutSuffix(one, "/udp")
		n, _ := strconv.ParseUint(one, 10, 16)
		ports = append(ports, WorkloadPort{uint16(n), udp, addr})
	}
	return ports
}

func TestWorkloadOptions(t *testing.T) {
	for _, test := range []struct {
		o    WorkloadOptions
		want string
	}{
		{WorkloadOptions{DefaultRule: "{{ nothing }}"},
			`defaultRule: template: defaultRule:1: function "nothing" not defined`},
		{WorkloadOptions{Constraints: "Label(`a`)"}, "constraints: Label takes 2 texts"},
		{WorkloadOptions{Constraints: "Host(`a`)"},
			"constraints: Host is no test; the tests are Label, LabelRegex, Tag and TagRegex"},
		{WorkloadOptions{Constraints: "TagRegex(`(`)"}, "constraints: error parsing regexp: missing closing ): `(`"},
		{WorkloadOptions{Constraints: "Label(`a`, 1)"}, "constraints: tests take texts in back quotes or double quotes"},
		{WorkloadOptions{Constraints: "1"}, "constraints: expected tests such as Label(`zone`, `a`), joined by && and ||"},
	} {
		if _, err := NewWorkloads("docker/main", test.o); err == nil || err.Error() != test.want {
			t.Errorf("%+v: %v, want %s", test.o, err, test.want)
		}
	}
}

// The examples are those of Traefik's documentation.
func TestConstraints(t *testing.T) {
	w := Workload{
		Labels: map[string]string{"a.label.name": "foo", "another.label.name": "b"}, Tags: []string{"v1", "blue"},
	}
	for text, want := range map[string]bool{
		"":                                     true,
		"Label(`a.label.name`, `foo`)":         true,
		"!Label(`a.label.name`, `value`)":      true,
		"LabelRegex(`a.label.name`, `f.+`)":    true,
		"LabelRegex(`no.label.name`, `.*`)":    false,
		"Tag(`blue`) && !Tag(`green`)":         true,
		"TagRegex(`^v[2-9]`) || Tag(\"none\")": false,
		"Label(`a.label.name`, `x`) && (Label(`another.label.name`, `b`) || Label(`c`, `d`))": false,
	} {
		c, err := parseConstraint(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := c(&w); got != want {
			t.Errorf("%s: %t, want %t", text, got, want)
		}
	}
}

func BenchmarkWorkloads(b *testing.B) {
	w, _ := NewWorkloads("docker/main", WorkloadOptions{ExposedByDefault: true, DefaultRule: DefaultRule})
	var list []Workload
	for i := range 5000 {
		router, service := fmt.Sprintf("traefik.http.routers.r%d.", i/2), fmt.Sprintf("traefik.http.services.s%d.", i/2)
		list = append(list, Workload{
			Name: fmt.Sprintf("service-%d", i/2), Instance: fmt.Sprintf("container %d", i),
			Host: fmt.Sprintf("10.%d.%d.1", i/250, i%250), Ports: []WorkloadPort{{Number: 80}},
			Labels: map[string]string{
				router + "rule":                           fmt.Sprintf("Host(`h%d.example`)", i/2),
				service + "loadbalancer.server.port":      "8080",
				service + "loadbalancer.healthcheck.path": "/healthz",
			},
		})
	}
	last := w.Build(list)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		list[7].Host = "10.99.0." + strconv.Itoa(n%250)
		next := w.Build(list)
		model.Reuse(&last, &next)
		last = next
	}
}
