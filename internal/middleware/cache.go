package middleware

import (
	"cmp"
	"net/http"

	"github.com/fairlead/fairlead/internal/middleware/cache"
	"github.com/fairlead/fairlead/internal/model"
)

const (
	defaultCacheBytes  = 64 << 20
	defaultObjectBytes = 1 << 20
)

// newCache keeps answers and sends them again; package cache says how. What is kept belongs to the middleware: routes
// that use it share its room, and what changes an address for one of them changes it for all.
func newCache(s *Set, use Use, m *model.Middleware) (Func, bool, error) {
	spec := m.Cache
	if spec == nil {
		return nil, false, nil
	}
	room, object := cmp.Or(spec.MaxBytes, defaultCacheBytes), cmp.Or(spec.MaxObjectBytes, defaultObjectBytes)
	switch {
	case room < 0:
		return nil, true, fieldError("cache.maxBytes", "%d is negative; the default is 64 MiB", room)
	case object < 0:
		return nil, true, fieldError("cache.maxObjectBytes", "%d is negative; the default is 1 MiB", object)
	case min(spec.TTL, spec.StaleWhileRevalidate, spec.StaleIfError) < 0:
		return nil, true, fieldError("cache", "has a negative time")
	}
	purge, err := parseHashes("cache.purgeHashes", spec.PurgeHashes)
	if err != nil {
		return nil, true, err
	}
	store := stateOf(s, place{middleware: m.Ref()}, "cache", cache.NewStore)
	store.Resize(room)
	o := cache.Options{
		Route: use.Route.String(), MaxObject: object, TTL: spec.TTL, StaleWhileRevalidate: spec.StaleWhileRevalidate,
		StaleIfError: spec.StaleIfError, Purge: purge, Detach: use.Detach, SetReason: setReason, Log: s.log,
	}
	return func(next http.Handler) http.Handler { return store.Handler(o, next) }, true, nil
}
