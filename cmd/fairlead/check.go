package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/internal/access"
	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/cert"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/middleware"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider"
	"github.com/fairlead/fairlead/internal/provider/file"
	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/upstream"
)

func newCheck() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Find every mistake in an instance's files, without running it",
		Long: `Read the instance's file and all that it leads to (files of routes, certificates, keys), and say everything
that is wrong, each as file:line: field: message. The exit code is 1 when there is anything.

What followed clusters export is not known here, so references to it ("shop@link") are not checked.`,
		Example: `  fairlead check
  fairlead check --config /etc/fairlead/edge.yaml`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return check(cmd.Context(), path, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", defaultConfig, "the instance's file")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml", "toml", "json")
	return cmd
}

func check(ctx context.Context, path string, out io.Writer) error {
	c, err := config.Load(path)
	if mistakes, ok := errors.AsType[config.Errors](err); ok {
		fmt.Fprintln(out, mistakes)
		return errSilent
	}
	if err != nil {
		return err
	}
	problems, err := offlineProblems(ctx, c)
	if err != nil {
		return err
	}
	for _, p := range problems {
		fmt.Fprintln(out, p)
	}
	if len(problems) > 0 {
		return errSilent
	}
	fmt.Fprintln(out, "ok")
	return nil
}

// offlineProblems returns everything that is wrong with an instance's files.
func offlineProblems(ctx context.Context, c *config.Config) ([]model.Problem, error) {
	snapshot, files, err := readFiles(ctx, c)
	if err != nil {
		return nil, err
	}
	p, err := offlineProxy(c, snapshot)
	if err != nil {
		return nil, err
	}
	found := p.Problems()
	for i := range found { // they come of the model, which holds no places
		if own, ok := files[found[i].Object.Source].(*file.Provider); ok {
			found[i].At = own.Locate(found[i].Object, found[i].Field)
		}
	}
	problems := slices.Concat(c.Problems, snapshot.Problems, found, checkSecrets(c))
	if len(c.Sources()) > len(files) {
		problems = slices.DeleteFunc(problems, func(p model.Problem) bool { return aboutElsewhere(snapshot, p) })
	}
	slices.SortFunc(problems, model.Problem.Compare)
	return problems, nil
}

// aboutElsewhere reports whether a problem is that a route needs a service or a middleware, or a service a transport,
// of a place that is not read here: a followed cluster, an orchestrator.
func aboutElsewhere(s *model.Snapshot, p model.Problem) bool {
	if p.Code == model.UnknownTransport {
		service, ok := model.Find(s.Services, p.Object.Ref)
		return ok && isElsewhere(service.Transport, service.Source)
	}
	r, ok := model.Find(s.Routes, p.Object.Ref)
	switch {
	case !ok:
		return false
	case p.Code == model.UnknownMiddleware:
		return slices.ContainsFunc(r.Middlewares, func(m model.Ref) bool { return isElsewhere(m, r.Source) })
	}
	return p.Code == model.UnknownService && usesElsewhere(s, r.Backends, r.Source, make(map[*model.Service]bool))
}

// usesElsewhere reports whether backends of an object of a source, or what they use, are services of places that are
// not read here. Seen are the services that were looked at: they may lead in a circle.
func usesElsewhere(s *model.Snapshot, list []model.Backend, from model.Source, seen map[*model.Service]bool) bool {
	return slices.ContainsFunc(list, func(b model.Backend) bool {
		if isElsewhere(b.Service, from) {
			return true
		}
		ref := b.Service
		ref.Source = cmp.Or(ref.Source, from)
		service, ok := model.Find(s.Services, ref)
		if !ok || seen[service] {
			return false
		}
		seen[service] = true
		return usesElsewhere(s, service.Backends, service.Source, seen)
	})
}

// isElsewhere reports whether a reference that stands in an object of a source leads to a place that is not read here.
func isElsewhere(ref model.Ref, from model.Source) bool {
	kind := cmp.Or(ref.Source, from).Kind()
	return kind != config.File{}.Source().Kind() && kind != config.Services{}.Source().Kind()
}

// offlineSnapshot reads what the instance's own files know, once.
func offlineSnapshot(ctx context.Context, c *config.Config) (*model.Snapshot, error) {
	snapshot, _, err := readFiles(ctx, c)
	return snapshot, err
}

// readFiles is offlineSnapshot, and returns the providers too, which have ended.
func readFiles(ctx context.Context, c *config.Config) (*model.Snapshot, map[model.Source]provider.Provider, error) {
	from := make(map[model.Source]model.Snapshot)
	providers := make(map[model.Source]provider.Provider)
	for _, own := range c.Providers {
		switch f := own.(type) {
		case config.File:
			f.Watch = false
			own = f
		case config.Services:
		default:
			continue // it is not here that its place can be reached
		}
		p, err := newProvider(own, slog.New(slog.DiscardHandler))
		if err != nil {
			return nil, nil, fmt.Errorf("provider %s: %w", own.Source(), err)
		}
		ctx, done := context.WithCancel(ctx)
		err = p.Run(ctx, func(s model.Snapshot) {
			s.Source = own.Source()
			s.Sort()
			from[own.Source()] = s
			done()
		})
		done()
		if _, read := from[own.Source()]; !read {
			return nil, nil, fmt.Errorf("reading %s: %w", own.Source(), err)
		}
		providers[own.Source()] = p
	}
	return catalog.Merge(c.Order(), from), providers, nil
}

// offlineProxy returns a proxy that serves nothing and explains everything.
func offlineProxy(c *config.Config, s *model.Snapshot) (*proxy.Proxy, error) {
	log := slog.New(slog.DiscardHandler)
	o := proxy.Options{
		Hosts: upstream.NewHosts(upstream.Options{Log: log}), Log: log,
		Middlewares:  middleware.NewSet(middleware.Options{Keys: noKeys{}, Log: log}),
		Certificates: cert.NewKeyring(),
	}
	if s := c.SPIFFE; s != nil {
		o.Workload = cert.NewWorkload(s.WorkloadAPIAddr, log)
	}
	for _, e := range c.EntryPoints {
		entryPoint := proxy.EntryPoint{Name: e.Name, Default: e.AsDefault, UDP: e.Address.UDP}
		if e.TLS != nil {
			entryPoint.TLS = new(tls.Config) // its certificates are looked at elsewhere
			if files, err := cert.NewFiles(pairsOf(e), log); err == nil {
				entryPoint.Certified = cert.Choice{Own: files, Shared: o.Certificates}.Has
			}
		}
		o.EntryPoints = append(o.EntryPoints, entryPoint)
	}
	p, err := proxy.New(o)
	if err == nil {
		p.Apply(s, true)
	}
	return p, err
}

// noKeys stands in for the key store of an instance that does not run.
type noKeys struct{}

// VerifyKey is part of middleware.KeyVerifier.
func (noKeys) VerifyKey(string, string) (string, bool) { return "", false }

// checkSecrets looks for the keys and certificates that the instance's file names.
func checkSecrets(c *config.Config) (problems []model.Problem) {
	add := func(object, name string, err error) {
		if err != nil {
			problems = append(problems, model.Problem{
				Object:  model.Object{Kind: object, Ref: model.Ref{Name: model.Name{Name: name}}},
				Code:    model.InvalidFile,
				Message: err.Error(),
			})
		}
	}
	for _, cluster := range c.Clusters {
		_, err := access.Resolve(cluster.Key.String())
		add(model.KindCluster, cluster.Name, err)
		_, err = identify(cluster)
		add(model.KindCluster, cluster.Name, err)
	}
	pairs := make(map[string][]config.KeyPair)
	for _, e := range c.EntryPoints {
		if e.TLS != nil {
			pairs[e.Name] = e.TLS.Certificates
		}
	}
	if c.Link != nil && c.Link.TLS != nil {
		pairs[linkEntryPoint] = []config.KeyPair{*c.Link.TLS}
	}
	for name, list := range pairs {
		for _, pair := range list {
			_, err := cert.NewFiles([]cert.Pair{cert.Pair(pair)}, slog.New(slog.DiscardHandler))
			add("entryPoint", name, err)
		}
	}
	return problems
}
