package link

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// The paths of the control calls.
const (
	PathExport   = "/link/v1/export"
	PathWatch    = "/link/v1/watch"
	PathHealth   = "/link/v1/health"
	PathProblems = "/link/v1/problems"
)

func (e *Exporter) handlers() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc(PathExport, e.guard(http.MethodGet, ScopeRead, e.serveExport))
	mux.HandleFunc(PathWatch, e.guard(http.MethodGet, ScopeRead, e.serveWatch))
	mux.HandleFunc(PathHealth, e.guard(http.MethodGet, ScopeTraffic, serveHealth))
	mux.HandleFunc(PathProblems, e.guard(http.MethodPost, ScopeRead, e.serveProblems))
	return mux
}

// ServeHTTP answers the control calls of a link.
func (e *Exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.mux.ServeHTTP(w, r) }

// keyed answers a request that came with a good key.
type keyed func(http.ResponseWriter, *http.Request, Session)

// guard admits requests with the method and with a key that has the scope. Whatever is wrong with a key, the answer is
// the same, so that it tells a stranger nothing.
func (e *Exporter) guard(method, scope string, next keyed) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if r.Method != method {
			w.Header().Set("Allow", method)
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		session, err := e.authorize(r, scope)
		switch {
		case errors.Is(err, ErrForbidden):
			e.refuse(w, http.StatusForbidden, "scope", "the key lacks the scope "+scope)
		case err != nil:
			w.Header().Set("WWW-Authenticate", "Bearer")
			e.refuse(w, http.StatusUnauthorized, "bad_key", "unauthorized")
		default:
			next(w, r, session)
		}
	}
}

var errNoKey = errors.New("no API key in the Authorization field")

// authorize reads the key as RFC 6750 §2.1 has it, and from nowhere else.
func (e *Exporter) authorize(r *http.Request, scope string) (Session, error) {
	fields := r.Header.Values("Authorization")
	if len(fields) != 1 {
		return nil, errNoKey
	}
	scheme, key, ok := strings.Cut(fields[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return nil, errNoKey
	}
	return e.o.Auth.Authorize(strings.TrimSpace(key), scope)
}

func (e *Exporter) refuse(w http.ResponseWriter, status int, reason, message string) {
	e.o.Refused(reason)
	http.Error(w, message, status)
}

func (e *Exporter) notReady(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	e.refuse(w, http.StatusServiceUnavailable, "not_ready", "nothing is exported yet")
}

// serveHealth is the probe of the data path: it costs the check of a key.
func serveHealth(w http.ResponseWriter, _ *http.Request, _ Session) {
	w.WriteHeader(http.StatusNoContent)
}

func (e *Exporter) serveExport(w http.ResponseWriter, r *http.Request, _ Session) {
	n, ready := e.since(0, true)
	if !ready {
		e.notReady(w)
		return
	}
	state := Export{
		Hello:    Hello{Version: Version, Cluster: e.o.Cluster, Epoch: e.epoch},
		Rev:      n.rev,
		Services: []json.RawMessage{}, Routes: []json.RawMessage{},
	}
	for _, c := range n.changes {
		if c.kind == model.KindService {
			state.Services = append(state.Services, c.object)
		} else {
			state.Routes = append(state.Routes, c.object)
		}
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Add("Vary", "Accept-Encoding")
	out, coding := compress(w, r.Header.Get("Accept-Encoding"))
	if coding != "" {
		h.Set("Content-Encoding", coding)
	}
	_, err := out.Write(append(encode(state), '\n'))
	if err = errors.Join(err, out.Close()); err != nil {
		e.o.Log.Debug("the export was not read to its end", "error", err)
	}
}

// serveProblems takes what a follower has to say; it replaces what the same key said before.
func (e *Exporter) serveProblems(w http.ResponseWriter, r *http.Request, s Session) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReport))
	if err != nil {
		e.refuse(w, http.StatusRequestEntityTooLarge, "bad_request", "the report is too large or was cut off")
		return
	}
	var told Told
	if err := json.Unmarshal(body, &told); err != nil || len(told.Problems) > maxReports {
		e.refuse(w, http.StatusBadRequest, "bad_request", "not a report of problems")
		return
	}
	e.tellers.said(s.ID(), e.understand(told.Problems))
	w.WriteHeader(http.StatusNoContent)
}
