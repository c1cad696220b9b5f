package providertest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Document writes routes, rule by name, in the dynamic-configuration format (YAML), each with a service of its own. No
// routes are an empty map.
func Document(rules map[string]string) string {
	if len(rules) == 0 {
		return "{}"
	}
	var b strings.Builder
	names := slices.Sorted(maps.Keys(rules))
	b.WriteString("http:\n  routers:\n")
	for _, name := range names {
		fmt.Fprintf(&b, "    %s: {rule: %q, service: %s}\n", name, rules[name], name)
	}
	b.WriteString("  services:\n")
	for _, name := range names {
		fmt.Fprintf(&b, "    %s: {loadBalancer: {servers: [{url: \"http://127.0.0.1:80\"}]}}\n", name)
	}
	return b.String()
}
