package sim

import (
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/link"
	"github.com/fairlead/fairlead/internal/model"
)

const variants = 4

// grantOf returns what an edge of a variant grants a cluster. East begins with variant 0, north with 1, west with 2;
// the step "start" may change it. Neighbours among the clusters get different ones.
func grantOf(variant, place int, cluster string) link.Grant {
	own := "*." + cluster + ".example"
	switch (variant + place) % variants {
	case 1:
		return link.Grant{
			Hosts: []string{own, "shop.example"}, Paths: []string{"/x", "/shared/"},
			Services: []string{cluster + "/*", "shop"}, EntryPoints: []string{"web", "websecure"},
		}
	case 2:
		return link.Grant{Hosts: []string{own}, Services: []string{cluster + "/*", "api"}, EntryPoints: []string{"web"}}
	case 3:
		return link.Grant{Hosts: []string{"*"}, Services: []string{"*"}, EntryPoints: []string{"web", "websecure"}}
	}
	return link.Grant{
		Hosts: []string{own, "shop.example", "api.example"}, Services: []string{cluster + "/*", "shop", "api"},
		EntryPoints: []string{"web", "websecure"},
	}
}

// What follows is a grant's meaning in its shortest form, for names without tricks.

func grantsHost(g link.Grant, host string) bool {
	return slices.ContainsFunc(g.Hosts, func(p string) bool {
		return p == "*" || p == host || strings.HasPrefix(p, "*.") && strings.HasSuffix(host, p[1:])
	})
}

func grantsPath(g link.Grant, path string) bool {
	return len(g.Paths) == 0 || slices.ContainsFunc(g.Paths, func(p string) bool {
		p = strings.TrimSuffix(p, "/")
		return path == p || strings.HasPrefix(path, p+"/")
	})
}

func grantsService(g link.Grant, name model.Name) bool {
	return slices.ContainsFunc(g.Services, func(p string) bool {
		return p == "*" || p == name.String() || name.Namespace != "" && p == name.Namespace+"/*"
	})
}
