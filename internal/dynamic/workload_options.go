package dynamic

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"unicode"

	sprig "github.com/go-task/slim-sprig/v3"

	"github.com/fairlead/fairlead/internal/document"
)

// WorkloadOptions say which workloads are served, and how their labels are read.
type WorkloadOptions struct {
	// ExposedByDefault serves workloads whose labels do not say "enable".
	ExposedByDefault bool
	// DefaultRule is the rule of a router that has none, a template of package text/template: it is given Name,
	// ContainerName and Labels, and has sprig's functions and normalize. "": such a router is a mistake, and workloads
	// whose labels speak of no router have none.
	DefaultRule string
	// Constraints is an expression of Label, LabelRegex, Tag and TagRegex that a workload must fulfil to be served. "":
	// none.
	Constraints string
	// Prefixes are what labels begin with that are read. Where two say the same, the earlier one counts. Empty:
	// "fairlead" and "traefik".
	Prefixes []string
}

// DefaultRule is the rule that Traefik's providers give to a router that has none.
const DefaultRule = "Host(`{{ normalize .Name }}`)"

// settings are what labels say for providers; they are no part of the format.
var settings = slices.Concat(switches, []string{"enable", "docker.network", "swarm.network"})

// switches are the settings that are true or false, besides enable.
var switches = []string{
	"docker.lbswarm", "docker.allownonrunning", "swarm.lbswarm", "consulcatalog.connect", "consulcatalog.canary",
	"nomad.canary",
}

// mistaken tells of the switches that are neither on nor off.
func mistaken(own map[string]string, at document.Position) (mistakes []document.Mistake) {
	for _, name := range switches {
		text, given := own[name]
		if _, err := strconv.ParseBool(text); given && err != nil {
			mistakes = append(mistakes, document.Mistake{
				At: at, Field: name, Message: strconv.Quote(text) + " is neither true nor false; it counts as false",
			})
		}
	}
	return mistakes
}

// workloadOptions are WorkloadOptions that can be worked with.
type workloadOptions struct {
	WorkloadOptions
	rule       *template.Template
	constraint constraint
}

func (o WorkloadOptions) compile() (*workloadOptions, error) {
	c := &workloadOptions{WorkloadOptions: o}
	if len(o.Prefixes) == 0 {
		c.Prefixes = []string{"fairlead", "traefik"}
	}
	functions := sprig.TxtFuncMap()
	functions["normalize"] = PlainName
	rule := template.New("defaultRule").Option("missingkey=zero").Funcs(functions)
	var err error
	if c.rule, err = rule.Parse(o.DefaultRule); err != nil {
		return nil, fmt.Errorf("defaultRule: %w", err)
	}
	if c.constraint, err = parseConstraint(o.Constraints); err != nil {
		return nil, fmt.Errorf("constraints: %w", err)
	}
	return c, nil
}

// PlainName makes a name of a text: what is neither a letter nor a digit becomes a dash, at its ends nothing.
func PlainName(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r)
	}), "-")
}

// strip returns the labels that are read, without their prefixes, those for providers apart and by their names in lower
// case.
func (o *workloadOptions) strip(labels map[string]string) (texts, own map[string]string) {
	texts, own = map[string]string{}, map[string]string{}
	taken := map[string]bool{}
	for _, prefix := range o.Prefixes {
		prefix += "."
		var found []string
		for _, label := range slices.Sorted(maps.Keys(labels)) {
			if len(label) < len(prefix) || !strings.EqualFold(label[:len(prefix)], prefix) {
				continue
			}
			key := label[len(prefix):]
			lower := strings.ToLower(key)
			switch {
			case taken[lower]:
				continue
			case slices.Contains(settings, lower):
				own[lower] = labels[label]
			default:
				texts[key] = labels[label]
			}
			found = append(found, lower)
		}
		for _, key := range found {
			taken[key] = true
		}
	}
	return texts, own
}

// defaultRule is the rule of a router that has none.
func (o *workloadOptions) defaultRule(w *Workload) (string, error) {
	_, name, _ := strings.Cut(w.Instance, " ")
	var rule bytes.Buffer
	err := o.rule.Execute(&rule, struct {
		Name, ContainerName string
		Labels              map[string]string
	}{w.Name, name, w.Labels})
	return rule.String(), err
}
