package dynamic

import "github.com/fairlead/fairlead/internal/model"

// weighted is a choice among other services, for each request or session anew.
type weighted struct {
	Services    []weightedService `doc:"services"`
	Sticky      *sticky           `doc:"sticky"`
	HealthCheck *propagation      `doc:"healthCheck"`
}

type weightedService struct {
	Name   string `doc:"name"`
	Weight *int   `doc:"weight"`
}

// propagation is there or not; there is nothing to set.
type propagation struct{}

// highestRandomWeight is a choice among other services by the client's address.
type highestRandomWeight struct {
	Services    []weightedService `doc:"services"`
	HealthCheck *propagation      `doc:"healthCheck"`
}

func (o *object) weightedService(spec *weighted, s *model.Service) {
	s.Backends = o.weighted("weighted", spec.Services)
	s.Aware = spec.HealthCheck != nil
	s.Sticky = o.in("weighted", "sticky").sticky(spec.Sticky)
}

func (o *object) byClient(spec *highestRandomWeight, s *model.Service) {
	s.Use, s.Backends = model.ByClient, o.weighted("highestRandomWeight", spec.Services)
	s.Aware = spec.HealthCheck != nil
}

func (o *object) weighted(kind string, services []weightedService) []model.Backend {
	if len(services) == 0 {
		o.in(kind, "services").invalid("name at least one service")
	}
	var backends []model.Backend
	for i, s := range services {
		at := o.in(kind, "services", i)
		backends = append(backends, model.Backend{
			Service: at.in("name").ref(s.Name), Weight: at.in("weight").weight(s.Weight),
		})
	}
	return backends
}

// failover is a service and the one that stands in for it.
type failover struct {
	Service     string       `doc:"service"`
	Fallback    string       `doc:"fallback"`
	HealthCheck *propagation `doc:"healthCheck"` // without effect: what is known of services is always passed on
	Errors      *failOn      `doc:"errors"`
}

type failOn struct {
	Status              []string `doc:"status"`
	MaxRequestBodyBytes *int64   `doc:"maxRequestBodyBytes"`
}

// What is kept of a request's body where its owner sets no limit: anybody may send one.
const (
	keptToRepeat = 1 << 20
	keptToMirror = 1 << 20
)

func (o *object) failover(spec *failover, s *model.Service) {
	at := o.in("failover")
	s.Use = model.Failover
	for _, to := range []struct{ key, name string }{{"service", spec.Service}, {"fallback", spec.Fallback}} {
		s.Backends = append(s.Backends, model.Backend{Service: at.in(to.key).ref(to.name), Weight: 1})
	}
	if spec.Errors == nil {
		return
	}
	if at = at.in("errors"); len(spec.Errors.Status) == 0 {
		at.in("status").invalid("say for which answers the fallback is asked, such as 500-599")
	}
	s.FailOn = &model.FailOn{
		Status:       at.in("status").statusRanges(spec.Errors.Status),
		MaxBodyBytes: size(spec.Errors.MaxRequestBodyBytes, keptToRepeat),
	}
}

// mirroring is a service, and others that get copies of its requests.
type mirroring struct {
	Service     string         `doc:"service"`
	Mirrors     []mirrorTarget `doc:"mirrors"`
	MirrorBody  *bool          `doc:"mirrorBody"`
	MaxBodySize *int64         `doc:"maxBodySize"`
	HealthCheck *propagation   `doc:"healthCheck"` // without effect, as that of failover
}

type mirrorTarget struct {
	Name    string `doc:"name"`
	Percent int    `doc:"percent"`
}

func (o *object) mirroring(spec *mirroring, s *model.Service) {
	at := o.in("mirroring")
	s.Use = model.Mirror
	s.Backends = []model.Backend{{Service: at.in("service").ref(spec.Service), Weight: 1}}
	for i, m := range spec.Mirrors {
		to := at.in("mirrors", i)
		if m.Percent < 0 || m.Percent > 100 {
			to.in("percent").invalid("%d is no part in percent; it is from 0 to 100", m.Percent)
		}
		s.Backends = append(s.Backends, model.Backend{Service: to.in("name").ref(m.Name), Weight: m.Percent})
	}
	s.Mirrored = &model.Mirrored{
		NoBody: spec.MirrorBody != nil && !*spec.MirrorBody, MaxBodyBytes: size(spec.MaxBodySize, keptToMirror),
	}
}

// size returns what is written, or ours where that is nothing or, in Traefik, no limit.
func size(written *int64, ours int64) int64 {
	if written == nil || *written < 0 {
		return ours
	}
	return *written
}
