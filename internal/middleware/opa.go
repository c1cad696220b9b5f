package middleware

import (
	"bytes"
	"encoding/json"
	"net/http"

	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	// maxDecision is the length of the longest answer of a policy, in bytes.
	maxDecision = 64 << 10
	// maxDeciding is how many decisions are asked for at once.
	maxDeciding = 256
)

// opa is the definition, checked.
type opa struct {
	*model.OPA
	*decider
	headers, forward []string // canonical
}

// decider outlives the handler.
type decider struct {
	client *identityClient
	asking chan struct{} // has an element for each question that is being asked
}

func (d *decider) close() { d.client.close() }

// newOPA admits requests that a policy allows.
func newOPA(s *Set, at place, spec *model.OPA) (Func, error) {
	o := &opa{OPA: spec}
	for _, name := range spec.Headers {
		o.headers = append(o.headers, http.CanonicalHeaderKey(name))
	}
	for _, name := range spec.Forward {
		field, err := identityName("opa.forwardHeaders", name)
		if err != nil {
			return nil, err
		}
		o.forward = append(o.forward, field)
	}
	if !isServerAddress(spec.URL) {
		return nil, fieldError("opa.url", "is no address; write it like http://127.0.0.1:8181/v1/data/http/authz")
	}
	client, err := newIdentityClient("opa.clientConfig.tls", spec.Server, s.log)
	if err != nil {
		return nil, err
	}
	o.decider = stateOf(s, place{middleware: at.middleware}, likeOf("opa", spec.URL, serverKeyOf(spec.Server)),
		func() *decider { return &decider{client, make(chan struct{}, maxDeciding)} })
	return o.wrap, nil
}

// decision is what a policy says: a boolean, or an object with these. All that it does not say is no.
type decision struct {
	Allow   bool              `json:"allow"`
	Status  int               `json:"status"`  // of the answer to a request that is not allowed; 0 is 403
	Headers map[string]string `json:"headers"` // that the service gets
}

func (o *opa) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range o.forward {
			removeIdentity(r.Header, name)
		}
		d, err := o.decide(r)
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
		for _, name := range o.forward {
			if value := d.Headers[name]; value != "" && httpguts.ValidHeaderFieldValue(value) {
				r.Header[name] = []string{value}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// decide asks about a request. Where that is not possible, the error is not nil.
func (o *opa) decide(r *http.Request) (d decision, err error) {
	question, err := json.Marshal(map[string]any{"input": o.input(r)})
	if err != nil {
		return d, err
	}
	ask, err := http.NewRequest(http.MethodPost, o.URL, bytes.NewReader(question))
	if err != nil {
		return d, err
	}
	ask.Header.Set("Content-Type", "application/json")
	if token := o.Token.Reveal(); token != "" {
		ask.Header.Set("Authorization", "Bearer "+token)
	}
	select {
	case o.asking <- struct{}{}:
		defer func() { <-o.asking }()
	case <-r.Context().Done():
		return d, r.Context().Err()
	}
	_, body, err := o.client.ask(r.Context(), ask, maxDecision)
	if err != nil {
		return d, err
	}
	var answer struct {
		Result json.RawMessage `json:"result"` // is missing where the policy says nothing
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return d, errUnreachable
	}
	switch {
	case answer.Result == nil:
	case json.Unmarshal(answer.Result, &d.Allow) == nil:
	case json.Unmarshal(answer.Result, &d) != nil:
		o.client.log.Warn("a policy says neither yes nor no", "server", o.URL)
		return decision{}, errUnreachable
	}
	return d, nil
}

// input is what the policy sees of a request.
func (o *opa) input(r *http.Request) map[string]any {
	fields := map[string][]string{}
	for _, name := range o.headers {
		if values := r.Header[name]; len(values) > 0 {
			fields[name] = values
		}
	}
	return map[string]any{
		"method": r.Method, "scheme": schemeOf(r), "host": r.Host, "path": r.URL.Path, "query": r.URL.RawQuery,
		"client": (clientIP{}).of(r).String(), "headers": fields,
	}
}
