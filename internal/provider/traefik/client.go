package traefik

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

const (
	maxRouters = 100_000
	maxAnswer  = 128 << 20 // bytes
)

// router is what the API says of a router, as far as it matters here.
type router struct {
	Name        string     `json:"name"` // "shop@docker"
	Rule        string     `json:"rule"`
	RuleSyntax  string     `json:"ruleSyntax"`
	Priority    int64      `json:"priority"`
	Service     string     `json:"service"` // of the same provider, where it names none; "": it has children
	EntryPoints []string   `json:"entryPoints"`
	ParentRefs  []string   `json:"parentRefs"` // whole names
	TLS         *routerTLS `json:"tls"`
	Status      string     `json:"status"`
}

// routerTLS is what it says of a router with TLS.
type routerTLS struct {
	Options string `json:"options"` // "default": those of everybody
}

// ownHost returns the host by whose name a connection must be made: a router with TLS options of its own is served over
// those that were made with these, and to all others the Traefik says 421. "": over any connection.
func (r router) ownHost() string {
	if r.TLS == nil || r.TLS.Options == "" || r.TLS.Options == "default" {
		return ""
	}
	match, err := dynamic.ParseRule(r.Rule)
	if err != nil {
		return "" // what it asks for nobody knows, and it is not served
	}
	return firstHost(match) // without one, it has everybody's options
}

// firstHost returns the first host that a rule asks for by its whole name; "": none.
func firstHost(m model.Match) string {
	switch {
	case m.Op == model.Not:
		return ""
	case m.Op == model.Is && m.Test == model.Host && !strings.Contains(m.Value, "*"):
		return m.Value
	}
	for _, of := range m.Of {
		if host := firstHost(of); host != "" {
			return host
		}
	}
	return ""
}

// disabled is the status of a router that is not served: the Traefik says why.
const disabled = "disabled"

// provider returns the part after the @.
func (r router) provider() string {
	_, provider, _ := strings.Cut(r.Name, "@")
	return provider
}

// served reports whether requests can reach the router directly, and are meant to.
func (r router) served() bool {
	return r.Status != disabled && r.provider() != "internal" && len(r.ParentRefs) == 0
}

// client asks the API of a Traefik.
type client struct {
	header http.Header
	http   *http.Client

	// The list that was read last, and the hash of its bytes: mostly they are the same again.
	list []router
	sum  [sha256.Size]byte
}

func newClient(c *Config, header http.Header) *client {
	transport := &http.Transport{TLSClientConfig: c.TLS, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10}
	return &client{header: header, http: &http.Client{
		Transport: transport, Timeout: c.Timeout,
		// A redirect would carry the password to wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// routers returns all of them, sorted by name, and whether they came over a new connection. They are asked for at once:
// if they changed between two pages, one that is on both or on neither would be told wrong.
func (c *client) routers(ctx context.Context, url string) (all []router, anew bool, err error) {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(by httptrace.GotConnInfo) { anew = !by.Reused },
	})
	url = fmt.Sprintf("%s/api/http/routers?per_page=%d", strings.TrimSuffix(url, "/"), maxRouters)
	body, next, err := c.get(ctx, url)
	if err != nil {
		return nil, false, err
	}
	if all, err = c.parse(body); err != nil {
		return nil, false, err
	}
	switch next {
	case "":
		return nil, false, errors.New("its API does not say which page is the next: is it a Traefik?")
	case "1": // as after the last
	default:
		return nil, false, fmt.Errorf("it has more than %d routers", maxRouters)
	}
	return all, anew, nil
}

// parse reads a list of routers and sorts it. Who gets it changes nothing in it.
func (c *client) parse(body []byte) ([]router, error) {
	sum := sha256.Sum256(body)
	if c.list != nil && sum == c.sum {
		return c.list, nil
	}
	var all []router
	if err := json.Unmarshal(body, &all); err != nil || all == nil {
		return nil, errors.New("what its API answers is no list of routers")
	}
	for _, r := range all {
		if r.Name == "" {
			return nil, errors.New("its API lists a router without a name")
		}
	}
	slices.SortFunc(all, func(a, b router) int { return strings.Compare(a.Name, b.Name) })
	c.list, c.sum = all, sum
	return all, nil
}

// get returns what the API answers, and which page it says is the next.
func (c *client) get(ctx context.Context, url string) (body []byte, next string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, "", err
	}
	r.Header = c.header.Clone()
	r.Header.Set("Accept", "application/json")
	began := time.Now()
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	body, err = io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("after %v: %w", time.Since(began).Round(time.Millisecond), err)
	case answer.StatusCode == http.StatusUnauthorized:
		return nil, "", fmt.Errorf("its API answers %s: look at the username and the password", answer.Status)
	case answer.StatusCode != http.StatusOK:
		return nil, "", fmt.Errorf("its API answers %s", answer.Status)
	case len(body) > maxAnswer:
		return nil, "", fmt.Errorf("the list of its routers has more than %d MiB", maxAnswer>>20)
	}
	return body, answer.Header.Get("X-Next-Page"), nil
}
