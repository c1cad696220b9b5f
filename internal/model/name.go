package model

import (
	"cmp"
	"strings"
)

// Name is what an object is called by its owner. In a snapshot of a link it is fleet-wide: the same Name exported by
// two clusters is the same service.
type Name struct {
	Namespace string `json:"namespace,omitempty"` // "" where the source knows none (files)
	Name      string `json:"name"`
}

// ParseName reads what [Name.String] writes: "namespace/name", or "name" alone.
func ParseName(s string) Name {
	if ns, name, ok := strings.Cut(s, "/"); ok {
		return Name{ns, name}
	}
	return Name{Name: s}
}

// String returns "namespace/name", or "name" where there is no namespace.
func (n Name) String() string {
	if n.Namespace == "" {
		return n.Name
	}
	return n.Namespace + "/" + n.Name
}

// IsZero reports whether n names nothing.
func (n Name) IsZero() bool { return n == Name{} }

// Compare orders names by namespace, then name.
func (n Name) Compare(o Name) int {
	if c := strings.Compare(n.Namespace, o.Namespace); c != 0 {
		return c
	}
	return strings.Compare(n.Name, o.Name)
}

// Source says which provider instance an object came from: "kind/instance", for example "docker/host-a" or
// "link/frankfurt". In a [Ref] the instance may be left out.
type Source string

// LinkKind is the kind of the sources that follow other clusters. It is also the source of a merged fleet service:
// "shop@link" is the service shop in whichever clusters export it.
const LinkKind = "link"

// LinkSource returns the source under which the objects of a followed cluster are known.
func LinkSource(cluster string) Source { return Source(LinkKind + "/" + cluster) }

// Kind returns the part before the slash: the kind of provider.
func (s Source) Kind() string {
	kind, _, _ := strings.Cut(string(s), "/")
	return kind
}

// Instance returns the part after the slash: which provider of its kind; for a link, the cluster.
func (s Source) Instance() string {
	_, instance, _ := strings.Cut(string(s), "/")
	return instance
}

// Ref names an object of a known kind: "name@source".
//
// As a reference from one object to another, Source may be a kind alone ("file": the first source of that kind, in the
// order of precedence, that has the name) or empty (the source that the reference stands in). An object whose source is
// the kind alone, as that of a service which several clusters share is, goes before those.
type Ref struct {
	Name   Name   `json:"name"`
	Source Source `json:"source,omitempty"`
	Lane   Lane   `json:"lane,omitempty"`
}

// ParseRef reads what [Ref.String] writes, "name@source" or "name" alone, as of the lane of HTTP.
func ParseRef(s string) Ref {
	name, source, _ := strings.Cut(s, "@")
	return Ref{Name: ParseName(name), Source: Source(source)}
}

// String returns "name@source"; "name" where there is no source, "source" where there is no name. It does not tell the
// lane.
func (r Ref) String() string {
	if r.Source == "" {
		return r.Name.String()
	}
	if r.Name.IsZero() {
		return string(r.Source)
	}
	return r.Name.String() + "@" + string(r.Source)
}

// Compare orders references by name, then source, then lane.
func (r Ref) Compare(o Ref) int {
	if c := r.Name.Compare(o.Name); c != 0 { // mostly: lists of all objects are sorted by it
		return c
	}
	return cmp.Or(cmp.Compare(r.Source, o.Source), cmp.Compare(r.Lane, o.Lane))
}
