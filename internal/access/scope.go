package access

import (
	"fmt"
	"slices"
	"strings"
)

// Scope is one thing that a key may do. For routes it is "route:<name>", the name as the route's owner gives it to the
// middleware; "route:*" is every route. "register:<service>" is to register instances of that service; "register:*", of
// any, with labels.
type Scope string

// The scopes.
const (
	LinkRead    Scope = "link:read"    // see what this instance exports
	LinkTraffic Scope = "link:traffic" // send requests to exported routes
	APIRead     Scope = "api:read"     // read through the management API
	APIWrite    Scope = "api:write"    // write through it; does not imply reading
	Admin       Scope = "admin"        // everything, keys included
	AllRoutes   Scope = "route:*"      // every "route:<name>"
	AllServices Scope = "register:*"   // every "register:<service>", and to bring labels, which make routes
)

const (
	routePrefix    = "route:"
	registerPrefix = "register:"
)

// Register is the scope to register instances of a service.
func Register(service string) Scope { return Scope(registerPrefix + service) }

// The limits of what a key is given.
const (
	maxScopes = 64
	maxName   = 256 // of a route or a service
)

// Role returns a named set of scopes, for people: viewer, operator or admin. The answer is nil for any other name.
func Role(name string) []Scope {
	switch name {
	case "viewer":
		return []Scope{APIRead}
	case "operator":
		return []Scope{APIRead, APIWrite}
	case "admin":
		return []Scope{Admin}
	}
	return nil
}

// ParseScopes reads scopes and names of roles, and returns the scopes sorted, each once. It fails with [ErrInvalid] on
// what it does not know, and when there is nothing: a key without a scope would open nothing.
func ParseScopes(names []string) ([]Scope, error) {
	var scopes []Scope
	for _, name := range names {
		if role := Role(name); role != nil {
			scopes = append(scopes, role...)
			continue
		}
		if !Scope(name).valid() {
			return nil, fmt.Errorf("%w: no scope or role is called %.80q; there are %s, %s, %s, %s, %s, route:NAME "+
				"(route:* for all), register:SERVICE (register:* for all), and the roles viewer, operator, admin",
				ErrInvalid, name, LinkRead, LinkTraffic, APIRead, APIWrite, Admin)
		}
		scopes = append(scopes, Scope(name))
	}
	slices.Sort(scopes)
	scopes = slices.Compact(scopes)
	switch {
	case len(scopes) == 0:
		return nil, fmt.Errorf("%w: a key needs at least one scope", ErrInvalid)
	case len(scopes) > maxScopes:
		return nil, fmt.Errorf("%w: %d scopes; at most %d, or use %s", ErrInvalid, len(scopes), maxScopes, AllRoutes)
	}
	return scopes, nil
}

// valid reports whether s is a scope that a key can have.
func (s Scope) valid() bool {
	switch s {
	case LinkRead, LinkTraffic, APIRead, APIWrite, Admin:
		return true
	}
	for _, prefix := range []string{routePrefix, registerPrefix} {
		if name, ok := strings.CutPrefix(string(s), prefix); ok {
			return name != "" && len(name) <= maxName && !strings.ContainsFunc(name, isNotVisible)
		}
	}
	return false
}

// isNotVisible is true of everything but the visible characters of ASCII.
func isNotVisible(r rune) bool { return r <= ' ' || r > '~' }

// allow reports whether one of the scopes that a key has is, or implies, the wanted one. Nothing allows "": a caller
// who forgot to say what it protects must not open it.
func allow(has []Scope, wanted string) bool {
	if wanted == "" {
		return false
	}
	for _, s := range has {
		if string(s) == wanted || s == Admin || s == AllRoutes && strings.HasPrefix(wanted, routePrefix) ||
			s == AllServices && strings.HasPrefix(wanted, registerPrefix) {
			return true
		}
	}
	return false
}
