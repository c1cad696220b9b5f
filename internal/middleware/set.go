package middleware

import (
	"fmt"
	"iter"
	"log/slog"
	"net/http"
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
	of("chain", func(m *model.Middleware) *model.Chain { return m.Chain }, newChain),
	of("contentType", func(m *model.Middleware) *model.ContentType { return m.ContentType }, newContentType),
	of("encodedCharacters", func(m *model.Middleware) *model.EncodedCharacters { return m.EncodedCharacters },
		newEncodedCharacters),
	of("headers", func(m *model.Middleware) *model.Headers { return m.Headers }, newHeaders),
	of("ipAllowList", func(m *model.Middleware) *model.IPAllowList { return m.IPAllowList }, newIPAllowList),
	of("maintenance", func(m *model.Middleware) *model.Maintenance { return m.Maintenance }, newMaintenance),
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
}

// kind is one line of the table. build reports false when m is of another kind.
type kind struct {
	name  string
	build func(s *Set, m *model.Middleware) (Func, bool, error)
}

func of[Spec any](
	name string, field func(*model.Middleware) *Spec, make func(*Set, model.Ref, *Spec) (Func, error),
) kind {
	return kind{name, func(s *Set, m *model.Middleware) (Func, bool, error) {
		spec := field(m)
		if spec == nil {
			return nil, false, nil
		}
		f, err := make(s, m.Ref(), spec)
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

	mu      sync.Mutex
	clients map[model.Ref]*kept
}

// kept are the clients that one rateLimit counts.
type kept struct {
	counts string // what counts as a client; when that changes, nothing can be kept
	*clients
	unused time.Time // since when no generation has it; zero: one has
}

// keepUnused is how long the state of a middleware that is gone is kept: a file that is broken and mended, or an
// orchestrator that restarts a container, must not reset a limit.
const keepUnused = 10 * time.Minute

// NewSet returns a Set without state.
func NewSet(o Options) *Set {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Set{keys: o.Keys, log: log, passwords: newPasswords(), clients: map[model.Ref]*kept{}}
}

// Build makes the handler of m. An error is a [*FieldError]: the definition is wrong, and its route must not be
// served without it.
//
// State belongs to m's Ref, not to its pointer: a definition that is read again, or has another average, goes on with
// the clients that were counted before.
func (s *Set) Build(m *model.Middleware) (Func, error) {
	for _, k := range kinds {
		if f, ok, err := k.build(s, m); ok {
			return f, err
		}
	}
	return nil, fieldError("middleware", "%s has no kind; give it one, such as headers", m.Ref())
}

// Keep says which middlewares the generation now serving has. Call it after each change of generation. The state of the
// others is dropped by the first call that comes 10 minutes or more after the one that missed them.
func (s *Set) Keep(refs iter.Seq[model.Ref]) {
	used := map[model.Ref]bool{}
	for ref := range refs {
		used[ref] = true
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for ref, k := range s.clients {
		switch {
		case used[ref]:
			k.unused = time.Time{}
		case k.unused.IsZero():
			k.unused = now
		case now.Sub(k.unused) >= keepUnused:
			delete(s.clients, ref)
			s.log.Debug("forgot the clients of a rate limit that is gone", "middleware", ref.String())
		}
	}
}

// clientsOf returns the clients that ref's rateLimit has counted so far, if it counted the same thing.
func (s *Set) clientsOf(ref model.Ref, counts string) *clients {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.clients[ref]
	if k == nil || k.counts != counts {
		k = &kept{counts: counts, clients: newClients()}
		s.clients[ref] = k
	}
	k.unused = time.Time{}
	return k.clients
}

func newChain(*Set, model.Ref, *model.Chain) (Func, error) {
	return nil, fieldError("chain", "is not a handler; replace it by its middlewares")
}

func newRetry(*Set, model.Ref, *model.Retry) (Func, error) {
	return func(next http.Handler) http.Handler { return next }, nil
}
