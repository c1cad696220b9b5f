package api

import (
	"cmp"
	"maps"
	"net/http"
	"slices"

	"github.com/fairlead/fairlead/internal/link"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/upstream"
)

func (s *server) clusters(w http.ResponseWriter, r *http.Request) error {
	v := s.lookAtHosts()
	clusters := []Cluster{s.own(v)}
	for name, f := range s.Followers {
		c := followed(f.State())
		c.Name, c.DataPath = name, upstream.DataPath(maps.Values(v.hosts), name)
		clusters = append(clusters, c)
	}
	slices.SortFunc(clusters[1:], func(a, b Cluster) int { return cmp.Compare(a.Name, b.Name) })
	return answerList(w, r, clusters, func(c Cluster) ([]string, string) { return []string{c.Name}, c.Name })
}

// followed shows what a link says of its cluster.
func followed(s link.State) Cluster {
	c := Cluster{
		Link: "lost", Address: s.Address, RemoteName: s.RemoteName, Since: s.Since, Revision: s.Revision,
		Reconnects: s.Reconnects, LastHeartbeat: s.LastHeartbeat, LastError: s.LastError,
		Routes: s.Routes, Refused: s.Refused, Ready: s.Ready, Total: s.Total,
	}
	switch {
	case s.Connected:
		c.Link = "up"
	case s.Since.IsZero():
		c.Link = "never"
	}
	return c
}

// own shows this instance's own cluster: what runs in it, and who follows it.
func (s *server) own(v *view) Cluster {
	c := Cluster{Name: s.Cluster, Self: true, Link: "local", DataPath: "local"}
	for _, r := range v.snapshot.Routes {
		if r.Source.Kind() != model.LinkKind {
			c.Routes++
		}
	}
	counted := make(map[string]bool)
	for _, service := range v.snapshot.Services {
		for _, e := range service.Endpoints {
			if e.Cluster != "" || counted[e.Addr] {
				continue
			}
			counted[e.Addr] = true
			c.Total++
			if e.State == model.Ready && v.usable(upstream.ID{Addr: e.Addr}) {
				c.Ready++
			}
		}
	}
	if s.Exporter == nil {
		return c
	}
	for _, r := range s.Exporter.Reports() {
		c.Followers = append(c.Followers, Follower{r.Key, r.Watches, r.At, r.GoneSince, len(r.Problems)})
	}
	return c
}

// usable reports whether nothing speaks against a host.
func (v *view) usable(id upstream.ID) bool {
	h := v.hosts[id]
	return h.Health != upstream.Unhealthy && !h.Ejected.After(v.now)
}
