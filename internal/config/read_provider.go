package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

// defaultProvider is the name of a provider that is not given one.
const defaultProvider = "main"

// providers reads the providers of every kind, in the order of the file; letter case does not count in a kind. Of each
// kind there is one, or a list.
func (l *loader) providers(p part, c *Config) []Provider {
	kinds := []kind{
		{"dns", l.dns},
		{"docker", l.docker},
		{"file", l.file},
		{"http", l.http},
		{"machines", l.machines},
		{"services", l.serviceFiles},
		{"swarm", l.swarm},
		{"traefik", l.traefikOf(c)},
		{"consul", l.consulKV},
		{"consulCatalog", l.consulCatalog},
		{"etcd", l.etcd},
		{"nomad", l.nomad},
		{"redis", l.redis},
		{"zooKeeper", l.zooKeeper},
	}
	var all []Provider
	seen := map[model.Source]string{} // where each was given first
	names, parts := l.entries(p)
	for i, name := range names {
		k := slices.IndexFunc(kinds, func(k kind) bool { return strings.EqualFold(k.name, name) })
		if k < 0 {
			l.unknownProvider(parts[i], name, kinds)
			continue
		}
		for _, p := range l.oneOrMore(parts[i]) {
			for _, provider := range each(kinds[k].read(p)) {
				l.named(p, provider, seen)
				all = append(all, provider)
			}
		}
	}
	return all
}

// named checks the name of a provider. seen is where each source was given first.
func (l *loader) named(p part, provider Provider, seen map[model.Source]string) {
	_, name, _ := strings.Cut(string(provider.Source()), "/")
	if !clusterName.MatchString(name) {
		l.wrong(p.key("name"), "%q is no name of a provider; use a-z, 0-9 and -", shorten(name))
	}
	if first, ok := seen[provider.Source()]; ok {
		l.wrong(p.key("name"), "the name %q is already taken by %s", name, first)
	} else {
		seen[provider.Source()] = p.key("name").path
	}
}

// kind is one kind of provider: its key under providers, and what reads one.
type kind struct {
	name string
	read func(part) Provider
}

// each returns what is run for a provider: itself, or one for each of its namespaces.
func each(p Provider) []Provider {
	if several, ok := p.(interface{ each() []Provider }); ok {
		return several.each()
	}
	return []Provider{p}
}

// eachIn returns one provider for each namespace, where there are some, and else the provider itself. Where there are
// several, the namespace's name is appended to each one's own.
func eachIn(namespaces []string, name string, itself Provider, in func(name, namespace string) Provider) []Provider {
	if len(namespaces) == 0 {
		return []Provider{itself}
	}
	all := make([]Provider, len(namespaces))
	for i, namespace := range namespaces {
		own := name
		if len(namespaces) > 1 {
			own += "-" + strings.ToLower(namespace)
		}
		all[i] = in(own, namespace)
	}
	return all
}

// notBoth refuses two keys of which a provider is to have one.
func (l *loader) notBoth(p part, one, other string, both bool) {
	if both {
		l.wrong(p.key(other), "%s and %s are both given; remove one", one, other)
	}
}

// namespaces checks the namespaces of a provider, of which it may be given one, or several.
func (l *loader) namespaces(p part, one string, several []string) {
	l.notBoth(p, "namespace", "namespaces", one != "" && len(several) > 0)
	for i, namespace := range several {
		if namespace == "" || strings.ContainsAny(namespace, "*/ ") {
			l.wrong(p.key("namespaces").item(i), "%q is not the name of one namespace", shorten(namespace))
		}
	}
}

func (l *loader) unknownProvider(p part, name string, kinds []kind) {
	m := document.Mistake{At: p.at, Field: p.path, Message: fmt.Sprintf("%q is not supported yet; remove it", name)}
	if !contains(traefikProviders, name) {
		known := slices.Clone(traefikProviders)
		for _, k := range kinds {
			known = append(known, k.name)
		}
		m.Message = document.UnknownField(name, known)
	}
	l.unknown(m)
}

// oneOrMore returns the items of a part that may be a list, or the part itself.
func (l *loader) oneOrMore(p part) []part {
	switch {
	case !p.given():
		return nil
	case p.node.Kind == document.List:
		return l.list(p)
	}
	return []part{p}
}

func (l *loader) file(p part) Provider {
	f := File{Name: defaultProvider, Watch: true}
	l.decode(p, &f)
	l.place(p, &f.Place)
	return f
}

// place checks what is read: a file or a folder.
func (l *loader) place(p part, f *Place) {
	l.notBoth(p, "filename", "directory", f.Filename != "" && f.Directory != "")
	if f.Filename == "" && f.Directory == "" {
		l.wrong(p, "names nothing to read; write filename or directory")
	}
	l.absolute(&f.Filename)
	l.absolute(&f.Directory)
}

// clientTLS checks what a provider shows and trusts. Nil: nothing is given.
func (l *loader) clientTLS(p part, t *ClientTLS) {
	if t == nil {
		return
	}
	if (t.Cert == "") != (t.Key == "") {
		l.wrong(p, "cert and key go together; only one of them is given")
	}
	if t.CA != "" && t.InsecureSkipVerify {
		l.wrong(p.key("insecureSkipVerify"), "believes whoever answers, so ca has no use; remove one of them")
	}
	if t.ServerName != "" && !isHost(t.ServerName) {
		l.wrong(p.key("serverName"), "%q is neither a DNS name nor an IP address", shorten(t.ServerName))
	}
	l.absolute(&t.CA)
	l.absolute(&t.Cert)
	l.absolute(&t.Key)
}
