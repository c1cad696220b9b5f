package middleware

import (
	"bytes"
	"cmp"
	"context"
	stdjson "encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"
	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	// maxDecision is the length of the longest answer of a policy, in bytes.
	maxDecision = 64 << 10
	// maxDeciding is how many decisions are made at once, for a middleware.
	maxDeciding = 256
)

// opa is the definition, checked.
type opa struct {
	*model.OPA
	decider
	headers []string // canonical; nil: all
	all     bool     // the policy sees all fields
	forward []string // canonical
	derived []string // likewise
}

// decider says what becomes of requests. It outlives the handler.
type decider interface {
	decide(ctx context.Context, input map[string]any) (decision, error)
}

// decision is what a policy says: a boolean, or an object with these. All that it does not say is no.
type decision struct {
	Allow   bool              `json:"allow"`
	Status  int               `json:"status"`  // of the answer to a request that is not allowed; 0 is 403
	Headers map[string]string `json:"headers"` // that the service gets
	derived map[string]string // by the names that the definition gives
}

// newOPA admits requests that a policy allows.
func newOPA(s *Set, at place, spec *model.OPA) (Func, error) {
	o := &opa{OPA: spec, all: spec.URL == "" && spec.Headers == nil}
	for _, name := range spec.Headers {
		o.headers = append(o.headers, http.CanonicalHeaderKey(name))
	}
	for _, name := range spec.Decided {
		field, err := identityName("opa.decisionHeaders", name)
		if err != nil {
			return nil, err
		}
		o.forward = append(o.forward, field)
	}
	for name := range spec.Forward {
		field, err := identityName("opa.forwardHeaders", name)
		if err != nil {
			return nil, err
		}
		o.derived = append(o.derived, field)
	}
	client, err := newIdentityClient("opa.clientConfig.tls", spec.Server, s.log)
	if err != nil {
		return nil, err
	}
	o.decider, err = newDecider(s, at, spec, client)
	return o.wrap, err
}

func newDecider(s *Set, at place, spec *model.OPA, client *identityClient) (decider, error) {
	at = place{middleware: at.middleware}
	address := spec.URL
	if spec.Bundle != nil {
		address = spec.Bundle.URL
	}
	if address != "" && !isServerAddress(address) {
		return nil, fieldError("opa.url", "is no address; write it like http://127.0.0.1:8181/v1/data/http/authz")
	}
	if spec.URL != "" {
		return stateOf(s, at, likeOf("opa", spec.URL, spec.Token.Reveal(), serverKeyOf(spec.Server)), func() *policyServer {
			return &policyServer{
				url: spec.URL, token: spec.Token, client: client, asking: make(chan struct{}, maxDeciding),
				reach: &reach{of: at.middleware, field: "opa.url"},
			}
		}), nil
	}
	p := stateOf(s, at, likePolicy(spec), func() *ownPolicy { return newOwnPolicy(spec, at.middleware, client) })
	if spec.Bundle == nil && p.err != nil {
		field := "opa.policy"
		if spec.Archive != "" {
			field = "opa.bundlePath"
		}
		return nil, fieldError(field, "cannot be used: %s", shortened(p.err))
	}
	return p, nil
}

// shortened bounds what a compiler says of a long policy.
func shortened(err error) string {
	const most = 500
	text := strings.Join(strings.Fields(err.Error()), " ")
	return text[:min(most, len(text))]
}

func (o *opa) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, names := range [][]string{o.forward, o.derived} {
			for _, name := range names {
				removeIdentity(r.Header, name)
			}
		}
		d, err := o.decide(r.Context(), o.input(w, r))
		switch {
		case err != nil:
			refuse(w, http.StatusServiceUnavailable, "auth_unreachable")
			return
		case !d.Allow:
			if d.Status < 400 || d.Status > 499 {
				d.Status = http.StatusForbidden
			}
			refuse(w, d.Status, "refused_by_opa")
			return
		}
		tell(r.Header, o.forward, d.Headers)
		tell(r.Header, o.derived, d.derived)
		next.ServeHTTP(w, r)
	})
}

// tell gives the service the fields of these names.
func tell(h http.Header, names []string, values map[string]string) {
	for _, name := range names {
		if value := values[name]; value != "" && httpguts.ValidHeaderFieldValue(value) {
			h[name] = []string{value}
		}
	}
}

// input is what the policy sees of a request.
func (o *opa) input(w http.ResponseWriter, r *http.Request) map[string]any {
	fields := map[string]any{}
	if o.all {
		for name, values := range r.Header {
			fields[name] = strings.Join(values, ", ")
		}
	}
	for _, name := range o.headers {
		if values := r.Header[name]; len(values) > 0 {
			fields[name] = strings.Join(values, ", ")
		}
	}
	input := map[string]any{
		"method": r.Method, "scheme": schemeOf(r), "host": r.Host, "path": r.URL.Path, "query": r.URL.RawQuery,
		"client": (clientIP{}).of(r).String(), "headers": fields,
	}
	if keeper, ok := writerOf[ClaimKeeper](w); ok {
		if c := keeper.Claims(); c != nil {
			input["claims"] = plain(c)
		}
	}
	return input
}

// plain is a claim as the encoders of others take it: numbers are theirs.
func plain(value any) any {
	switch v := value.(type) {
	case json.Number:
		return stdjson.Number(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = plain(v[i])
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for name := range v {
			object[name] = plain(v[name])
		}
		return object
	}
	return value
}

// policyServer is a server that decides.
type policyServer struct {
	url    string
	token  model.Secret
	client *identityClient
	asking chan struct{} // has an element for each question that is being asked
	*reach
}

func (p *policyServer) close() { p.client.close() }

// decide asks about a request. Where that is not possible, the error is not nil.
func (p *policyServer) decide(ctx context.Context, input map[string]any) (d decision, err error) {
	question, err := stdjson.Marshal(map[string]any{"input": input})
	if err != nil {
		return d, err
	}
	ask, err := http.NewRequest(http.MethodPost, p.url, bytes.NewReader(question))
	if err != nil {
		return d, err
	}
	ask.Header.Set("Content-Type", "application/json")
	if token := p.token.Reveal(); token != "" {
		ask.Header.Set("Authorization", "Bearer "+token)
	}
	select {
	case p.asking <- struct{}{}:
		defer func() { <-p.asking }()
	case <-ctx.Done():
		return d, ctx.Err()
	}
	_, body, err := p.client.ask(ctx, ask, maxDecision)
	if err == nil {
		d, err = readAnswer(body)
	}
	if ctx.Err() == nil { // else the client is gone
		p.note(err == nil)
	}
	if err != nil {
		p.client.log.Warn("a server of policies says neither yes nor no", "server", p.url, "error", err)
	}
	return d, err
}

func readAnswer(body []byte) (decision, error) {
	var answer struct {
		Result stdjson.RawMessage `json:"result"` // is missing where the policy says nothing
	}
	if err := stdjson.Unmarshal(body, &answer); err != nil {
		return decision{}, errUnreachable
	}
	return readDecision(answer.Result)
}

func readDecision(result stdjson.RawMessage) (d decision, err error) {
	switch {
	case result == nil:
	case stdjson.Unmarshal(result, &d.Allow) == nil:
	case stdjson.Unmarshal(result, &d) != nil:
		return decision{}, fmt.Errorf("%w: it is no boolean, and no object with allow", errUnreachable)
	}
	return d, nil
}

// timeout of a decision that is made here.
func decisionTime(spec *model.OPA) time.Duration { return cmp.Or(spec.Timeout, time.Second) }
