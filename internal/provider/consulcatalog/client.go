package consulcatalog

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/consul/api"
)

const (
	longest  = 30 * time.Second // that an answer is held back
	patience = 10 * time.Second // for an answer, beside that
)

// client asks one Consul.
type client struct {
	config    *Config
	api       *api.Client
	transport *http.Transport
}

func dial(c *Config) (*client, error) {
	token, err := c.Token()
	if err != nil {
		return nil, err
	}
	password, err := c.Password()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: c.TLS, MaxIdleConnsPerHost: 16}
	o := &api.Config{Address: c.Address, Scheme: "http", Token: token, HttpClient: &http.Client{Transport: transport}}
	if c.TLS != nil {
		o.Scheme = "https"
	}
	if c.Username != "" {
		o.HttpAuth = &api.HttpBasicAuth{Username: c.Username, Password: password}
	}
	a, err := api.NewClient(o)
	return &client{c, a, transport}, err
}

func (c *client) close() { c.transport.CloseIdleConnections() }

// query returns the options of a question, which ends in any case.
func (c *client) query(ctx context.Context, index uint64) (*api.QueryOptions, context.CancelFunc) {
	q, cancel := c.local(ctx, index)
	q.Datacenter, q.AllowStale, q.RequireConsistent = c.config.Datacenter, c.config.Stale, c.config.Consistent
	return q, cancel
}

// local returns the options of a question that is about the agent itself.
func (c *client) local(ctx context.Context, index uint64) (*api.QueryOptions, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, longest+longest/16+patience)
	q := &api.QueryOptions{WaitIndex: index, WaitTime: longest, Namespace: c.config.Namespace}
	return q.WithContext(ctx), cancel
}

// services returns the tags of all services by name, once they are newer than an index.
func (c *client) services(ctx context.Context, index uint64) (map[string][]string, uint64, error) {
	q, cancel := c.query(ctx, index)
	defer cancel()
	all, meta, err := c.api.Catalog().Services(q)
	if err != nil {
		return nil, 0, c.brief(err)
	}
	return all, meta.LastIndex, nil
}

// instances returns those of a service, healthy or not, once they are newer than an index. In a mesh they are where its
// members reach it: its proxies, and those instances that need none.
func (c *client) instances(ctx context.Context, n named, index uint64) ([]*api.ServiceEntry, uint64, error) {
	q, cancel := c.query(ctx, index)
	defer cancel()
	ask := c.api.Health().Service
	if n.mesh {
		ask = c.api.Health().Connect
	}
	entries, meta, err := ask(n.name, "", false, q)
	if err != nil {
		return nil, 0, c.brief(err)
	}
	return entries, meta.LastIndex, nil
}

// brief leaves the URL out of an error, which differs from question to question.
func (c *client) brief(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("%s: %w", c.config.Address, e.Err)
	}
	return err
}
