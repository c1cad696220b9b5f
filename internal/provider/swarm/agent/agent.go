package agent

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead/internal/provider/engine"
)

const (
	// most is how many requests, streams of events among them, are answered at a time.
	most = 64
	// readWithin is how long a reader may take for a part of an answer.
	readWithin = 30 * time.Second
)

// Config says what is shown, and to whom.
type Config struct {
	Engine engine.Engine
	// Tokens returns those that are good now. There is at least one.
	Tokens func() ([]string, error)
	// Labels are what labels begin with that are shown, beside those of routes and stacks.
	Labels []string
}

// Agent answers requests.
type Agent struct {
	config Config
	log    *slog.Logger
	api    *client.Client
	mux    *http.ServeMux
	places chan struct{}
}

// New returns an agent. Close lets go of the engine.
func New(c Config, log *slog.Logger) (*Agent, error) {
	c.Labels = append([]string{"fairlead.", "traefik.", "com.docker.stack."}, c.Labels...)
	api, err := c.Engine.Connect()
	if err != nil {
		return nil, err
	}
	a := &Agent{config: c, log: log, api: api, mux: http.NewServeMux(), places: make(chan struct{}, most)}
	a.mux.HandleFunc("GET /_ping", a.ping)
	a.mux.HandleFunc("GET /{version}/info", a.answer(a.info))
	a.mux.HandleFunc("GET /{version}/nodes", a.answer(a.nodes))
	a.mux.HandleFunc("GET /{version}/services", a.answer(a.services))
	a.mux.HandleFunc("GET /{version}/tasks", a.answer(a.tasks))
	a.mux.HandleFunc("GET /{version}/events", a.events)
	return a, nil
}

// Close lets go of the engine.
func (a *Agent) Close() error { return a.api.Close() }

// ServeHTTP answers a request.
func (a *Agent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !a.allowed(r) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		fail(w, http.StatusUnauthorized, "a token is needed")
		return
	}
	select {
	case a.places <- struct{}{}:
		defer func() { <-a.places }()
	default:
		fail(w, http.StatusServiceUnavailable, "too much is asked at once")
		return
	}
	a.mux.ServeHTTP(w, r)
}

// allowed reports whether a request has a token that is good. It takes the same time for every token of any length.
func (a *Agent) allowed(r *http.Request) bool {
	fields := r.Header.Values("Authorization")
	scheme, token, _ := strings.Cut(strings.Join(fields, ""), " ")
	tokens, err := a.config.Tokens()
	if err != nil {
		a.log.Error("no token can be read", "error", err)
		return false
	}
	presented, good := sha256.Sum256([]byte(token)), 0
	for _, t := range tokens {
		one := sha256.Sum256([]byte(t))
		good |= subtle.ConstantTimeCompare(presented[:], one[:])
	}
	return good == 1 && len(fields) == 1 && strings.EqualFold(scheme, "Bearer")
}

// fail answers as an engine does.
func fail(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Message string `json:"message"`
	}{message})
}

// ping says which version of the API the engine and the agent have agreed on.
func (a *Agent) ping(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := a.config.Engine.Within(r.Context())
	defer cancel()
	if _, err := a.api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		a.refused(w, r, err)
		return
	}
	w.Header().Set("Api-Version", a.api.ClientVersion())
	w.Header().Set("Ostype", "linux")
}

// answer serves what is asked of the engine and shown as JSON.
func (a *Agent) answer(ask func(context.Context, client.Filters) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		wanted, ok := filtersOf(r, "id", "service", "desired-state")
		if !ok {
			fail(w, http.StatusBadRequest, "these filters are not known here")
			return
		}
		ctx, cancel := a.config.Engine.Within(r.Context())
		defer cancel()
		shown, err := ask(ctx, wanted)
		if err != nil {
			a.refused(w, r, err)
			return
		}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(readWithin))
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(shown)
	}
}

// refused answers what the engine did not. Its words are about itself, and who asks needs them.
func (a *Agent) refused(w http.ResponseWriter, r *http.Request, err error) {
	a.log.Debug("the engine does not answer", "path", r.URL.Path, "error", err)
	fail(w, http.StatusBadGateway, "the engine does not answer: "+err.Error())
}

// filtersOf returns the filters of a request, which must be known.
func filtersOf(r *http.Request, known ...string) (client.Filters, bool) {
	text := r.URL.Query().Get("filters")
	if text == "" {
		return nil, true
	}
	var given map[string]map[string]bool
	if err := json.Unmarshal([]byte(text), &given); err != nil {
		return nil, false
	}
	wanted := make(client.Filters)
	for _, name := range known {
		for value := range given[name] {
			wanted.Add(name, value)
		}
		delete(given, name)
	}
	return wanted, len(given) == 0
}
