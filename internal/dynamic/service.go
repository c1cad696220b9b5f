package dynamic

import (
	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

type service struct {
	LoadBalancer *loadBalancer `doc:"loadBalancer"`
	Weighted     *weighted     `doc:"weighted"`
}

type weighted struct {
	Services []weightedService `doc:"services"`
}

type weightedService struct {
	Name   string `doc:"name"`
	Weight *int   `doc:"weight"`
}

func (service) gaps() []gap {
	return []gap{
		{"mirroring", left}, {"failover", left}, {"highestRandomWeight", left},
		{"middlewares", left},
		{"weighted.sticky", ignored}, {"weighted.healthCheck", ignored},
		{"loadBalancer.sticky", ignored}, {"loadBalancer.passiveHealthCheck", ignored},
		{"loadBalancer.nginxUpstreamHashBy", ignored},
		{"loadBalancer.healthCheck.unhealthyInterval", ignored}, {"loadBalancer.healthCheck.followRedirects", ignored},
	}
}

func decodeService(n *document.Node) (s service, mistakes []document.Mistake) {
	if n.Kind != document.Null {
		mistakes = document.Decode(n, &s)
	}
	return s, mistakes
}

func (o *object) service(spec *service) *model.Service {
	s := &model.Service{Name: o.ref.Name, Source: o.ref.Source}
	switch {
	case spec.LoadBalancer != nil && spec.Weighted != nil:
		o.in("weighted").invalid("a service is either a loadBalancer or weighted; make them two services")
	case spec.LoadBalancer != nil:
		o.loadBalancer(spec.LoadBalancer, s)
	case spec.Weighted != nil:
		s.Backends = o.weighted(spec.Weighted)
	default:
		o.in().invalid("say what the service is: loadBalancer or weighted")
	}
	return s
}

func (o *object) weighted(spec *weighted) []model.Backend {
	if len(spec.Services) == 0 {
		o.in("weighted", "services").invalid("name at least one service")
	}
	var backends []model.Backend
	for i, s := range spec.Services {
		at := o.in("weighted", "services", i)
		backends = append(backends, model.Backend{
			Service: at.in("name").ref(s.Name), Weight: at.in("weight").weight(s.Weight),
		})
	}
	return backends
}

// weight returns what is written, or 1.
func (p place) weight(w *int) int {
	const most = 1_000_000 // so that sums stay far from overflow
	switch {
	case w == nil:
		return 1
	case *w < 0 || *w > most:
		p.invalid("%d is out of range; a weight is from 0 to %d", *w, most)
	}
	return *w
}
