package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/access"
	"github.com/fairlead/fairlead/internal/api"
	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/cert"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/link"
	"github.com/fairlead/fairlead/internal/middleware"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/upstream"
)

// This file makes the parts of an instance, in the order in which they need each other.

func (i *instance) openStore(ctx context.Context) (err error) {
	if i.store, err = store.Open(filepath.Join(i.config.Store.Path, "store.db")); err != nil {
		return err
	}
	i.keys, err = access.NewKeys(ctx, i.store, access.Options{Log: i.log})
	return err
}

func (i *instance) openCatalog(context.Context) error {
	stale := make(map[model.Source]time.Duration)
	for _, c := range i.config.Clusters {
		stale[c.Source()] = c.StaleAfter
	}
	i.catalog = catalog.New(catalog.Options{
		Order: i.config.Order(), Expect: i.config.Sources(), StartDeadline: i.config.StartDeadline, StaleAfter: stale,
	})
	return nil
}

func (i *instance) openFollowers(context.Context) error {
	i.followers, i.gateways = make(map[string]*link.Follower), make(map[string]proxy.Gateway)
	for _, c := range i.config.Clusters {
		identity, err := identify(c)
		if err != nil {
			return fmt.Errorf("following cluster %s: %w", c.Name, err)
		}
		i.gateways[c.Name] = proxy.Gateway{TLS: identity, Key: readKey(c)}
		i.followers[c.Name] = link.NewFollower(link.FollowerOptions{
			Cluster: c.Name, Addresses: texts(c.Addresses), Key: readKey(c), Client: link.NewTransport(identity.Clone()),
			Grant: grantOf(c.Grant), Policy: i.config.Policy,
			Cache:              link.FileCache(filepath.Join(i.config.Store.Path, "link-"+c.Name+".cache")),
			DefaultEntryPoints: i.defaultEntryPoints(), Log: i.log,
		})
	}
	return nil
}

func (i *instance) defaultEntryPoints() (names []string) {
	for _, e := range i.config.EntryPoints {
		if e.AsDefault && !e.Address.UDP {
			names = append(names, e.Name)
		}
	}
	return names
}

// identify returns how a followed cluster proves that it is the one meant.
func identify(c config.Cluster) (*tls.Config, error) {
	ca := []byte("sha256:" + c.CA.SHA256)
	if c.CA.File != "" {
		var err error
		if ca, err = os.ReadFile(c.CA.File); err != nil {
			return nil, fmt.Errorf("reading its CA: %w", err)
		}
	}
	return link.ClientTLS(ca, string(c.ServerName))
}

// keyFreshness is how long a cluster's key is used before it is read again where it is kept. Every forwarded request
// needs it; a rotation overlaps for longer.
const keyFreshness = time.Second

// readKey returns a function that reads a cluster's key wherever it is kept.
func readKey(c config.Cluster) func() (string, error) {
	var mu sync.Mutex
	var key string
	var read time.Time
	return func() (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(read) < keyFreshness {
			return key, nil
		}
		secret, err := access.Resolve(c.Key.String())
		if err != nil {
			return "", err
		}
		key, read = secret.Reveal(), time.Now()
		return key, nil
	}
}

// texts returns the strings that a list of checked texts consists of.
func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, t := range list {
		out[i] = string(t)
	}
	return out
}

// linkCertificateLife is how long a certificate of the instance's own CA is good; it is renewed long before.
const linkCertificateLife = 30 * 24 * time.Hour

func (i *instance) openLink(ctx context.Context) error {
	o := i.config.Link
	if o == nil {
		return nil
	}
	get, err := i.linkCertificate(ctx, o)
	if err != nil {
		return fmt.Errorf("making the link's certificate: %w", err)
	}
	i.exporter = link.NewExporter(link.ExporterOptions{
		Cluster: i.config.Cluster, Auth: linkKeys{i.keys},
		Capacity: func(s model.Ref) (int, int) { return i.proxy.Capacity(s) }, // the proxy is made later
		Transit:  i.config.Export.Transit, Log: i.log,
		Refused: func(reason string) { i.metrics.RefusedKey("link", reason) },
	})
	i.link = &proxy.Link{
		EntryPoint: proxy.EntryPoint{
			Name: linkEntryPoint, Address: string(o.Address), TLS: cert.ServerTLS(get, tls.VersionTLS13),
			HeaderTimeout: 10 * time.Second, IdleTimeout: 3 * time.Minute, HeaderBytes: 128 << 10, Headers: 250,
			DrainGrace: 10 * time.Second, Via: proxy.Via{Name: "fairlead"},
		},
		Control: i.exporter, Authorize: i.authorizeTraffic, Transit: i.config.Export.Transit,
	}
	return nil
}

// linkEntryPoint is the name of the link's entry point in logs and metrics. Configured names have no such character.
const linkEntryPoint = "@link"

func (i *instance) linkCertificate(ctx context.Context, o *config.Link) (cert.Get, error) {
	if o.TLS != nil {
		files, err := cert.NewFiles([]cert.Pair{cert.Pair(*o.TLS)}, i.log)
		if err != nil {
			return nil, err
		}
		i.files[linkEntryPoint] = files
		return files.GetCertificate, nil
	}
	var err error
	if i.authority, err = cert.NewAuthority(ctx, i.store, i.config.Cluster); err != nil {
		return nil, err
	}
	names := texts(o.Names)
	if len(names) == 0 {
		names = []string{"localhost"} // followers know the instance by the CA's pin, not by a name
	}
	return i.authority.Renewing(names, linkCertificateLife)
}

// linkKeys lets the exporter ask the key store.
type linkKeys struct{ keys *access.Keys }

// Authorize is part of link.Authorizer.
func (l linkKeys) Authorize(key, scope string) (link.Session, error) {
	session, err := l.keys.Authorize(key, scope)
	switch {
	case errors.Is(err, access.ErrForbidden):
		return nil, link.ErrForbidden
	case err != nil:
		return nil, err
	}
	return session, nil
}

// authorizeTraffic lets the link entry point ask the key store.
func (i *instance) authorizeTraffic(key string) (<-chan struct{}, error) {
	session, err := i.keys.Authorize(key, link.ScopeTraffic)
	switch {
	case errors.Is(err, access.ErrForbidden):
		i.metrics.RefusedKey("link", "scope")
		return nil, proxy.ErrForbidden
	case err != nil:
		i.metrics.RefusedKey("link", "bad_key")
		return nil, err
	}
	return session.Done(), nil
}

func (i *instance) openProxy(context.Context) error {
	workload := identities{members: i.members}
	if s := i.config.SPIFFE; s != nil {
		i.workload = cert.NewWorkload(s.WorkloadAPIAddr, i.log)
		workload.workload = i.workload
	}
	i.hosts = upstream.NewHosts(upstream.Options{
		Log: i.log, Prober: proxy.NewProber(i.gateways, upstream.NewDirect(nil, workload)), Capacity: i.capacity,
	})
	o := proxy.Options{
		Link: i.link, Gateways: i.gateways, Hosts: i.hosts, Log: i.log,
		Middlewares:  middleware.NewSet(middleware.Options{Keys: i.keys, Log: i.log}),
		Certificates: i.keyring, Workload: workload,
		Observers: []proxy.Observer{i.metrics}, Connections: i.metrics.OpenConnections,
	}
	if err := i.openTelemetry(&o); err != nil {
		return err
	}
	for _, e := range i.config.EntryPoints {
		entryPoint, err := i.entryPoint(e)
		if err != nil {
			return err
		}
		o.EntryPoints = append(o.EntryPoints, entryPoint)
	}
	var err error
	i.proxy, err = proxy.New(o)
	return err
}

// capacity is what a followed cluster says of a service.
func (i *instance) capacity(cluster string, service model.Name) (ready, total int, known bool) {
	if f, ok := i.followers[cluster]; ok {
		return f.Capacity(service)
	}
	return 0, 0, false
}

// entryPoint turns what the instance's file says of an entry point into what the proxy opens.
func (i *instance) entryPoint(e config.EntryPoint) (proxy.EntryPoint, error) {
	timeouts, life := e.Transport.RespondingTimeouts, e.Transport.LifeCycle
	o := proxy.EntryPoint{
		Name: e.Name, Address: string(e.Address.Address), UDP: e.Address.UDP, Default: e.AsDefault,
		HeaderTimeout: timeouts.HeaderTimeout, ReadTimeout: timeouts.ReadTimeout, WriteTimeout: timeouts.WriteTimeout,
		IdleTimeout: timeouts.IdleTimeout,
		HeaderBytes: e.Limits.HeaderBytes, Headers: e.Limits.Headers, Connections: e.Limits.Connections,
		ConnectionsPerClient: e.Limits.ConnectionsPerClient, MaxConcurrentStreams: e.HTTP2.MaxConcurrentStreams,
		StallTimeout: timeouts.StallTimeout,
		Trusted:      config.Prefixes(e.ForwardedHeaders.TrustedIPs), TrustAll: e.ForwardedHeaders.Insecure,
		Forwarded: e.ForwardedHeaders.Forwarded, Via: proxy.Via(e.Via),
		StreamIdle: e.TCP.IdleTimeout, SessionTimeout: e.UDP.Timeout,
		AcceptGrace: life.RequestAcceptGraceTimeout, DrainGrace: life.GraceTimeOut,
		Observability: model.Observability{
			AccessLogs: model.SwitchOf(&e.Observability.AccessLogs), Metrics: model.SwitchOf(&e.Observability.Metrics),
			Tracing:  model.SwitchOf(&e.Observability.Tracing),
			Detailed: model.SwitchOf(new(e.Observability.TraceVerbosity == "detailed")),
		},
	}
	if p := e.ProxyProtocol; p != nil {
		o.ProxyProtocol = config.Prefixes(p.TrustedIPs)
		if p.Insecure {
			o.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
		}
	}
	if e.TLS == nil {
		return o, nil
	}
	files, err := cert.NewFiles(pairsOf(e), i.log)
	if err != nil {
		return o, fmt.Errorf("reading the certificates of entry point %s: %w", e.Name, err)
	}
	i.files[e.Name] = files
	oldest := uint16(tls.VersionTLS12)
	if e.TLS.MinVersion == "1.3" {
		oldest = tls.VersionTLS13
	}
	choice := cert.Choice{Own: files, Shared: i.keyring}
	o.TLS, o.Certified = cert.ServerTLS(choice.GetCertificate, oldest), choice.Has
	if h := e.HTTP3; h != nil {
		o.HTTP3 = &proxy.HTTP3{AdvertisedPort: h.AdvertisedPort, ZeroRTT: h.ZeroRTT}
	}
	return o, nil
}

// pairsOf returns the certificates of an entry point that speaks TLS.
func pairsOf(e config.EntryPoint) (pairs []cert.Pair) {
	for _, c := range e.TLS.Certificates {
		pairs = append(pairs, cert.Pair(c))
	}
	return pairs
}

// openServices opens the management API, and the metrics where they are asked for.
func (i *instance) openServices(context.Context) error {
	handler := api.New(api.Options{
		Version: version, Cluster: i.config.Cluster, Proxy: i.proxy, Catalog: i.catalog, Hosts: i.hosts, Keys: i.keys,
		Followers: i.followers, Exporter: i.exporter, Machines: i.machines, Problems: i.problems,
		EntryPoints: shownEntryPoints(i.config),
		Log:         i.log,
		Refused:     func(reason string) { i.metrics.RefusedKey("api", reason) },
	})
	if err := i.openService("management API", string(i.config.API.Address), i.config.API.TLS, handler); err != nil {
		return err
	}
	if m := i.config.Prometheus; m != nil {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", i.measured(i.metrics.Handler()))
		return i.openService("metrics", string(m.Address), nil, mux)
	}
	return nil
}

// measured brings the metrics of what changes by itself up to date whenever they are asked for.
func (i *instance) measured(next http.Handler) http.Handler {
	var mu sync.Mutex
	counted := make(map[string]int) // reconnects, by cluster
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		i.metrics.SetProblems(i.problems())
		for name, f := range i.followers {
			state := f.State()
			i.metrics.SetLink(name, state.Connected)
			for ; counted[name] < state.Reconnects; counted[name]++ {
				i.metrics.LinkReconnected(name)
			}
		}
		mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

func (i *instance) openService(name, address string, pair *config.KeyPair, handler http.Handler) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("opening %s: %w", name, err)
	}
	if pair != nil {
		files, err := cert.NewFiles([]cert.Pair{cert.Pair(*pair)}, i.log)
		if err != nil {
			return fmt.Errorf("reading the certificate of %s: %w", name, err)
		}
		i.files["@"+name] = files
		l = tls.NewListener(l, cert.ServerTLS(files.GetCertificate, tls.VersionTLS12))
	}
	i.log.Info("service open", "name", name, "address", l.Addr().String(), "tls", pair != nil)
	i.services = append(i.services, service{name, l, &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}})
	return nil
}
