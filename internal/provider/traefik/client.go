package traefik

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	pageSize = 1000
	maxPages = 100
	maxPage  = 32 << 20 // bytes
)

// router is what the API says of a router, as far as it matters here.
type router struct {
	Name        string          `json:"name"` // "shop@docker"
	Rule        string          `json:"rule"`
	RuleSyntax  string          `json:"ruleSyntax"`
	Priority    int             `json:"priority"`
	Service     string          `json:"service"` // of the same provider, where it names none
	EntryPoints []string        `json:"entryPoints"`
	ParentRefs  []string        `json:"parentRefs"`
	TLS         json.RawMessage `json:"tls"`
	Status      string          `json:"status"`
}

// provider returns the part after the @.
func (r router) provider() string {
	_, provider, _ := strings.Cut(r.Name, "@")
	return provider
}

// served reports whether requests can reach the router directly, and are meant to.
func (r router) served() bool {
	return r.Status != "disabled" && r.provider() != "internal" && len(r.ParentRefs) == 0
}

// client asks the API of a Traefik.
type client struct {
	url    string
	header http.Header
	http   *http.Client
}

func newClient(c *Config, header http.Header) *client {
	transport := &http.Transport{TLSClientConfig: c.TLS, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10}
	return &client{strings.TrimSuffix(c.URL, "/"), header, &http.Client{
		Transport: transport, Timeout: c.Timeout,
		// A redirect would carry the password to wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// routers returns all of them, sorted by name.
func (c *client) routers(ctx context.Context) ([]router, error) {
	var all []router
	for page := 1; ; {
		list, next, err := c.page(ctx, page)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
		if next <= page { // the last one names the first
			break
		}
		if page = next; page > maxPages {
			return nil, fmt.Errorf("it has more than %d routers", maxPages*pageSize)
		}
	}
	slices.SortFunc(all, func(a, b router) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(all, func(a, b router) bool { return a.Name == b.Name }), nil
}

func (c *client) page(ctx context.Context, page int) (list []router, next int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet,
		fmt.Sprintf("%s/api/http/routers?per_page=%d&page=%d", c.url, pageSize, page), nil)
	if err != nil {
		return nil, 0, err
	}
	r.Header = c.header.Clone()
	r.Header.Set("Accept", "application/json")
	began := time.Now()
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxPage+1))
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("after %v: %w", time.Since(began).Round(time.Millisecond), err)
	case answer.StatusCode != http.StatusOK:
		return nil, 0, fmt.Errorf("its API answers %s", answer.Status)
	case len(body) > maxPage:
		return nil, 0, fmt.Errorf("a page of its routers has more than %d MiB", maxPage>>20)
	}
	if err := json.Unmarshal(body, &list); err != nil || list == nil {
		return nil, 0, errors.New("what its API answers is no list of routers")
	}
	for _, r := range list {
		if r.Name == "" || r.Service == "" && len(r.ParentRefs) == 0 {
			return nil, 0, errors.New("its API lists a router without a name or a service")
		}
	}
	next, err = strconv.Atoi(answer.Header.Get("X-Next-Page"))
	if err != nil {
		return nil, 0, errors.New("its API does not say which page is the next: is it a Traefik?")
	}
	return list, next, nil
}
