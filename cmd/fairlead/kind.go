package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/api"
)

// kind is a kind of objects that can be listed.
type kind struct {
	name  string
	about string
	load  func(context.Context, *api.Client, api.Filter) (found, error)
}

// found is a list of objects of one kind.
type found struct {
	objects any
	names   []string // one for each object
	header  []string
	rows    func(now time.Time) [][]string
}

func (l found) write(w io.Writer, f *format, now time.Time) error {
	return f.write(w, l.objects, func(w io.Writer) error {
		if len(l.names) == 0 {
			_, err := fmt.Fprintln(w, "none")
			return err
		}
		return writeTable(w, l.header, l.rows(now))
	})
}

// loading joins a call of the API with how its objects are shown. name is what an object is found by.
func loading[T any](
	call func(*api.Client, context.Context, api.Filter) ([]T, error), name func(T) string, header string,
	row func(T, time.Time) []string,
) func(context.Context, *api.Client, api.Filter) (found, error) {
	return func(ctx context.Context, c *api.Client, f api.Filter) (found, error) {
		objects, err := call(c, ctx, f)
		if err != nil {
			return found{}, err
		}
		l := found{objects: objects, header: strings.Fields(header)}
		for _, o := range objects {
			l.names = append(l.names, name(o))
		}
		l.rows = func(now time.Time) (rows [][]string) {
			for _, o := range objects {
				rows = append(rows, row(o, now))
			}
			return rows
		}
		return l, nil
	}
}

// kinds returns those that there are.
func kinds() []kind {
	return []kind{
		{"routes", "what a request must look like, and where it goes", loading(
			(*api.Client).Routes, func(r api.Route) string { return r.Name },
			"NAME SOURCE LANE STATUS PRIORITY ENTRYPOINTS SERVICE EXPORTED RULE", routeRow)},
		{"services", "what the requests go to, and each cluster's part of them", loading(
			(*api.Client).Services, func(s api.Service) string { return s.Name },
			"NAME SOURCE PROTOCOL STATUS ENDPOINTS CLUSTERS", serviceRow)},
		{"clusters", "this instance's own and those that it follows: the link, and whether requests get there", loading(
			(*api.Client).Clusters, func(c api.Cluster) string { return c.Name },
			"NAME LINK DATAPATH ADDRESS ROUTES REFUSED READY HEARTBEAT SINCE ERROR", clusterRow)},
		{"problems", "what is wrong, and what to do about it", loading(
			(*api.Client).Problems, func(p api.Problem) string { return p.Name },
			"OBJECT CODE FIELD AT MESSAGE", problemRow)},
		{"hosts", "live state of the addresses that requests are sent to", loading(
			(*api.Client).Hosts, func(h api.Host) string { return h.Address },
			"ADDRESS CLUSTER GATEWAY HEALTH INFLIGHT LATENCY REQUESTS FAILURES ERROR", hostRow)},
		{"registrations", "instances of services that registered themselves, each with a lease", loading(
			(*api.Client).Registrations, func(r api.Registration) string { return r.Service },
			"SERVICE ADDRESS PROTOCOL STATE WEIGHT LEASE SINCE BY", registrationRow)},
		{"providers", "where routes and services come from", loading(
			(*api.Client).Providers, func(p api.Provider) string { return p.Source },
			"SOURCE STATUS ROUTES SERVICES MIDDLEWARES PROBLEMS CHANGED RECONNECTS STALE ERROR", providerRow)},
	}
}

// findKind finds a kind by its name, in the singular too.
func findKind(name string) (kind, error) {
	all := kinds()
	i := slices.IndexFunc(all, func(k kind) bool { return k.name == name || strings.TrimSuffix(k.name, "s") == name })
	if i < 0 {
		return kind{}, usageError{fmt.Errorf("there is no kind %q; there are: %s", name, strings.Join(kindNames(), ", "))}
	}
	return all[i], nil
}

func kindNames() (names []string) {
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

func aboutKinds() string {
	var b strings.Builder
	for _, k := range kinds() {
		fmt.Fprintf(&b, "  %-13s %s\n", k.name, k.about)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
