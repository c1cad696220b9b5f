package consulcatalog

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// Mesh is Consul's service mesh, and who the instance is in it.
type Mesh struct {
	// Service is the name that intentions know the instance by.
	Service string
	// ByDefault reaches services over the mesh whose tags do not say whether they are.
	ByDefault bool
	// Identify is told who the instance is, a certificate with its chain and its key, and the roots by which others are
	// known, now and whenever one of them changes: before the certificate ends. All are PEM.
	Identify func(chain, key, roots []byte) error
}

// membership is what is known of the mesh in one run.
type membership struct {
	*Mesh
	source model.Source
	leaf   *api.LeafCert
	roots  *api.CARootList
}

// news are what Consul tells of the mesh: one of both.
type news struct {
	leaf  *api.LeafCert
	roots *api.CARootList
}

// join begins to follow who the instance is in the mesh.
func (c *catalog) join(ctx context.Context, m *Mesh) {
	if m == nil {
		return
	}
	c.mesh = &membership{Mesh: m, source: c.client.config.Source}
	c.watch(ctx, func(ctx context.Context, index uint64) (uint64, func(), error) {
		leaf, next, err := c.client.leaf(ctx, m.Service, index)
		return next, func() { send(ctx, c.told, news{leaf: leaf}) }, err
	})
	c.watch(ctx, func(ctx context.Context, index uint64) (uint64, func(), error) {
		roots, next, err := c.client.roots(ctx, index)
		return next, func() { send(ctx, c.told, news{roots: roots}) }, err
	})
}

// known reports whether the instance knows who it is, where there is a mesh.
func (m *membership) known() bool { return m == nil || m.leaf != nil && m.roots != nil }

// learn takes news of the mesh.
func (m *membership) learn(n news) error {
	if n.leaf != nil {
		m.leaf = n.leaf
	} else {
		m.roots = n.roots
	}
	if !m.known() {
		return nil
	}
	var roots strings.Builder // while they are replaced, the old and the new ones
	for _, r := range m.roots.Roots {
		roots.WriteString(strings.TrimSpace(r.RootCertPEM) + "\n")
	}
	return m.Identify([]byte(m.leaf.CertPEM), []byte(m.leaf.PrivateKeyPEM), []byte(roots.String()))
}

// enter says of an instance of a service who it is in the mesh.
func (m *membership) enter(w *dynamic.Workload, service string, e *api.ServiceEntry) {
	namespace := e.Service.Namespace
	if namespace == "" {
		namespace = "default"
	}
	w.Mesh = m.source
	w.PeerID = fmt.Sprintf("spiffe://%s/ns/%s/dc/%s/svc/%s", m.roots.TrustDomain, namespace, e.Node.Datacenter, service)
}

// leaf returns who the instance is as a service, once that is newer than an index. The agent that is asked makes a new
// certificate before the last one ends.
func (c *client) leaf(ctx context.Context, service string, index uint64) (*api.LeafCert, uint64, error) {
	q, cancel := c.local(ctx, index)
	defer cancel()
	leaf, meta, err := c.api.Agent().ConnectCALeaf(service, q)
	if err != nil {
		return nil, 0, c.brief(err)
	}
	return leaf, meta.LastIndex, nil
}

// roots returns the mesh's roots and its trust domain, once they are newer than an index.
func (c *client) roots(ctx context.Context, index uint64) (*api.CARootList, uint64, error) {
	q, cancel := c.local(ctx, index)
	defer cancel()
	roots, meta, err := c.api.Agent().ConnectCARoots(q)
	if err != nil {
		return nil, 0, c.brief(err)
	}
	return roots, meta.LastIndex, nil
}
