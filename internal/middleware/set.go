package middleware

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// Func wraps a handler in a middleware.
type Func = func(next http.Handler) http.Handler

// kinds lists the middlewares.
var kinds = []kind{
	of("addPrefix", func(m *model.Middleware) *model.AddPrefix { return m.AddPrefix }, newAddPrefix),
	of("apiKey", func(m *model.Middleware) *model.APIKey { return m.APIKey }, newAPIKey),
	of("basicAuth", func(m *model.Middleware) *model.BasicAuth { return m.BasicAuth }, newBasicAuth),
	of("buffering", func(m *model.Middleware) *model.Buffering { return m.Buffering }, newBuffering),
	{"cache", newCache},
	of("chain", func(m *model.Middleware) *model.Chain { return m.Chain }, newChain),
	of("circuitBreaker", func(m *model.Middleware) *model.CircuitBreaker { return m.CircuitBreaker }, newCircuitBreaker),
	of("compress", func(m *model.Middleware) *model.Compress { return m.Compress }, newCompress),
	of("contentType", func(m *model.Middleware) *model.ContentType { return m.ContentType }, newContentType),
	of("digestAuth", func(m *model.Middleware) *model.DigestAuth { return m.DigestAuth }, newDigestAuth),
	of("encodedCharacters", func(m *model.Middleware) *model.EncodedCharacters { return m.EncodedCharacters },
		newEncodedCharacters),
	{"errors", func(_ *Set, use Use, m *model.Middleware) (Func, bool, error) {
		return newErrors(use.Service, m.Errors)
	}},
	of("forwardAuth", func(m *model.Middleware) *model.ForwardAuth { return m.ForwardAuth }, newForwardAuth),
	of("grpcWeb", func(m *model.Middleware) *model.GRPCWeb { return m.GRPCWeb }, newGRPCWeb),
	of("headers", func(m *model.Middleware) *model.Headers { return m.Headers }, newHeaders),
	of("httpSignature", func(m *model.Middleware) *model.HTTPSignature { return m.HTTPSignature }, newHTTPSignature),
	of("inFlightReq", func(m *model.Middleware) *model.InFlightReq { return m.InFlightReq }, newInFlightReq),
	of("ipAllowList", func(m *model.Middleware) *model.IPAllowList { return m.IPAllowList }, newIPAllowList),
	of("jwt", func(m *model.Middleware) *model.JWT { return m.JWT }, newJWT),
	of("ldap", func(m *model.Middleware) *model.LDAP { return m.LDAP }, newLDAP),
	of("maintenance", func(m *model.Middleware) *model.Maintenance { return m.Maintenance }, newMaintenance),
	of("oAuthClientCredentials",
		func(m *model.Middleware) *model.OAuthClientCredentials { return m.OAuthClientCredentials },
		newOAuthClientCredentials),
	of("oAuthIntrospection", func(m *model.Middleware) *model.OAuthIntrospection { return m.OAuthIntrospection },
		newOAuthIntrospection),
	of("oidc", func(m *model.Middleware) *model.OIDC { return m.OIDC }, newOIDC),
	of("opa", func(m *model.Middleware) *model.OPA { return m.OPA }, newOPA),
	of("passTLSClientCert", func(m *model.Middleware) *model.PassTLSClientCert { return m.PassTLSClientCert },
		newPassTLSClientCert),
	of("rateLimit", func(m *model.Middleware) *model.RateLimit { return m.RateLimit }, newRateLimit),
	of("redirectRegex", func(m *model.Middleware) *model.RedirectRegex { return m.RedirectRegex }, newRedirectRegex),
	of("redirectScheme", func(m *model.Middleware) *model.RedirectScheme { return m.RedirectScheme }, newRedirectScheme),
	of("replacePath", func(m *model.Middleware) *model.ReplacePath { return m.ReplacePath }, newReplacePath),
	of("replacePathRegex", func(m *model.Middleware) *model.ReplacePathRegex { return m.ReplacePathRegex },
		newReplacePathRegex),
	of("requestId", func(m *model.Middleware) *model.RequestID { return m.RequestID }, newRequestID),
	of("retry", func(m *model.Middleware) *model.Retry { return m.Retry }, newRetry),
	of("stripPrefix", func(m *model.Middleware) *model.StripPrefix { return m.StripPrefix }, newStripPrefix),
	of("stripPrefixRegex", func(m *model.Middleware) *model.StripPrefixRegex { return m.StripPrefixRegex },
		newStripPrefixRegex),
	of("waf", func(m *model.Middleware) *model.WAF { return m.WAF }, newWAF),
	of("wasm", func(m *model.Middleware) *model.WASM { return m.WASM }, newWASM),
}

// kind is one line of the table. build reports false when m is of another kind.
type kind struct {
	name  string
	build func(s *Set, use Use, m *model.Middleware) (Func, bool, error)
}

// place is where a middleware is used.
type place struct{ middleware, route model.Ref }

// Use says what a middleware is made for.
type Use struct {
	Route   model.Ref    // whose requests go through it
	Service http.Handler // sends a request to the service that the middleware names; nil: it names none, or it is unknown
	// Detach returns a copy of a request that lives on without its client, and what ends it; nothing is told to observers.
	// w stands in the client's place. nil: there is no such thing here.
	Detach func(w http.ResponseWriter, r *http.Request) (*http.Request, func())
}

func of[Spec any](
	name string, field func(*model.Middleware) *Spec, make func(*Set, place, *Spec) (Func, error),
) kind {
	return kind{name, func(s *Set, use Use, m *model.Middleware) (Func, bool, error) {
		spec := field(m)
		if spec == nil {
			return nil, false, nil
		}
		f, err := make(s, place{m.Ref(), use.Route}, spec)
		return f, true, err
	}}
}

// KeyVerifier is the instance's own key store.
type KeyVerifier interface {
	// VerifyKey reports whether key is valid now and has the scope, and who owns it.
	VerifyKey(key, scope string) (owner string, ok bool)
}

// Options are what middlewares need from the instance.
type Options struct {
	Keys KeyVerifier  // nil: an apiKey that names a scope cannot be built
	Log  *slog.Logger // nil: nothing is logged
}

// FieldError says what is wrong with a definition, and what to do.
type FieldError struct {
	Field   string // "apiKey.hashes[2]"
	Message string // never quotes a secret
}

// Error returns "field: message".
func (e *FieldError) Error() string { return e.Field + ": " + e.Message }

func fieldError(field, format string, args ...any) error {
	return &FieldError{Field: field, Message: fmt.Sprintf(format, args...)}
}

// Set makes handlers, and keeps what must survive the generation that they are made for. It is safe for concurrent use.
type Set struct {
	keys      KeyVerifier
	log       *slog.Logger
	passwords *passwords
	encoders  *encoders

	mu     sync.Mutex
	states map[place]*kept
}

// kept is what outlives the handler of one middleware. Its place has no route where all routes share it.
type kept struct {
	like   string    // what the state is for; when that changes, nothing can be kept
	state  any       // such as *clients, *breaker, *nonces, *cache.Store
	unused time.Time // since when no generation has it; zero: one has
}

// close lets go of what a state holds besides memory.
func (k *kept) close() {
	if c, ok := k.state.(interface{ close() }); ok {
		c.close()
	}
}

// keepReplaced is how long a state that was replaced stays good for requests that began before.
const keepReplaced = time.Minute

// keepUnused is how long the state of a middleware that is gone is kept: a file that is broken and mended, or an
// orchestrator that restarts a container, must not reset a limit.
const keepUnused = 10 * time.Minute

// NewSet returns a Set without state.
func NewSet(o Options) *Set {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Set{
		keys: o.Keys, log: log, passwords: newPasswords(), encoders: newEncoders(), states: map[place]*kept{},
	}
}

// Build makes the handler of m. An error is a [*FieldError]: the definition is wrong, and
// its route must not be served without it.
//
// State belongs to m's Ref, or to m's and the route's, not to a pointer: a definition that is read again, or has
// another average, goes on with the clients that were counted before.
func (s *Set) Build(m *model.Middleware, use Use) (Func, error) {
	for _, k := range kinds {
		if f, ok, err := k.build(s, use, m); ok {
			return f, err
		}
	}
	return nil, fieldError("middleware", "%s has no kind; give it one, such as headers", m.Ref())
}

// Keep says which middlewares and routes the generation now serving has. Call it after each change of generation. The
// state of the others is dropped by the first call that comes 10 minutes or more after the one that missed them.
func (s *Set) Keep(middlewares []*model.Middleware, routes []*model.Route) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	// By what states belong to: mostly they are few beside all objects.
	used, routed := make(map[model.Ref]bool), make(map[model.Ref]bool)
	for at := range s.states {
		used[at.middleware], routed[at.route] = at.middleware == (model.Ref{}), at.route == (model.Ref{})
	}
	mark(used, middlewares)
	mark(routed, routes)
	for at, k := range s.states {
		switch {
		case used[at.middleware] && routed[at.route]:
			k.unused = time.Time{}
		case k.unused.IsZero():
			k.unused = now
		case now.Sub(k.unused) >= keepUnused:
			delete(s.states, at)
			if !s.isShared(k) {
				k.close()
			}
			s.log.Debug("forgot the state of a middleware that is gone", "middleware", at.middleware.String())
		}
	}
}

// Problems returns what is wrong now with what middlewares depend on.
func (s *Set) Problems() (list []model.Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.states {
		if depends, ok := k.state.(interface{ problem() (model.Problem, bool) }); ok && k.unused.IsZero() {
			if p, wrong := depends.problem(); wrong {
				list = append(list, p)
			}
		}
	}
	slices.SortFunc(list, model.Problem.Compare)
	return slices.CompactFunc(list, func(a, b model.Problem) bool { return a.Compare(b) == 0 }) // some share a state
}

// mark sets those of the references that are in a sorted list.
func mark[T interface {
	comparable
	Ref() model.Ref
}](of map[model.Ref]bool, list []T) {
	if len(of) < len(list)/16 {
		for ref := range of {
			_, found := model.Find(list, ref)
			of[ref] = of[ref] || found
		}
		return
	}
	for _, o := range list {
		if _, ok := of[o.Ref()]; ok {
			of[o.Ref()] = true
		}
	}
}

// stateOf returns what is kept for a place, if it is for the same thing; else what make makes, which is kept from now
// on.
func stateOf[T any](s *Set, at place, like string, make func() T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.states[at]
	if k == nil || k.like != like {
		if k != nil {
			s.closeLater(k)
		}
		k = &kept{like: like, state: make()}
		s.states[at] = k
	}
	k.unused = time.Time{}
	return k.state.(T)
}

// sharedStateOf is stateOf for what all places share for which it is the same.
func sharedStateOf[T any](s *Set, at place, like string, make func() T) T {
	return stateOf(s, at, like, func() T {
		for _, k := range s.states {
			if k.like == like {
				return k.state.(T)
			}
		}
		return make()
	})
}

// isShared reports whether a place has the state of one that is gone. s.mu is held.
func (s *Set) isShared(gone *kept) bool {
	for _, k := range s.states {
		if k.state == gone.state {
			return true
		}
	}
	return false
}

// closeLater lets go of a state that another one replaces. The generation that has it still serves, and its requests
// may take their time.
func (s *Set) closeLater(k *kept) {
	time.AfterFunc(keepReplaced, func() {
		s.mu.Lock()
		shared := s.isShared(k)
		s.mu.Unlock()
		if !shared {
			k.close()
		}
	})
}

func newChain(*Set, place, *model.Chain) (Func, error) {
	return nil, fieldError("chain", "is not a handler; replace it by its middlewares")
}
