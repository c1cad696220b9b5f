package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/fairlead/fairlead/internal/access"
)

// sessionKey is under which a request's context has the session of its key.
type sessionKey struct{}

// guard lets those requests through that have a key with the scope, and answers what the handler returns.
func (s *server) guard(scope access.Scope, serve handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache") // ask again; see answer
		err := error(nil)
		if scope != anybody {
			var session *access.Session
			if session, err = s.authorise(r, scopeOf(r, scope)); err == nil {
				r = r.WithContext(context.WithValue(r.Context(), sessionKey{}, session))
			}
		}
		if err == nil {
			err = serve(w, r)
		}
		if err != nil {
			s.fail(w, r, err)
		}
	})
}

// scopeOf returns the scope that a request needs: "{service}" is the service that its path names.
func scopeOf(r *http.Request, scope access.Scope) access.Scope {
	return access.Scope(strings.Replace(string(scope), "{service}", r.PathValue("service"), 1))
}

// authorise checks the key of a request. Whoever is turned away is not told why.
func (s *server) authorise(r *http.Request, scope access.Scope) (*access.Session, error) {
	fields := r.Header.Values("Authorization")
	scheme, key, _ := strings.Cut(strings.Join(fields, ""), " ")
	if len(fields) != 1 || !strings.EqualFold(scheme, "Bearer") {
		return nil, s.refuse("no_key", http.StatusUnauthorized)
	}
	session, err := s.Keys.Authorize(strings.TrimSpace(key), string(scope))
	switch {
	case err == nil:
		return session, nil
	case errors.Is(err, access.ErrForbidden):
		return nil, s.refuse("scope", http.StatusForbidden)
	default:
		return nil, s.refuse("bad_key", http.StatusUnauthorized)
	}
}

func (s *server) refuse(reason string, status int) error {
	if s.Refused != nil {
		s.Refused(reason)
	}
	return &Error{Title: http.StatusText(status), Status: status}
}

// sessionOf returns the session of an authorised request.
func sessionOf(r *http.Request) *access.Session {
	session, _ := r.Context().Value(sessionKey{}).(*access.Session)
	return session
}
