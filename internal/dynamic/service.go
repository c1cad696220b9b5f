package dynamic

import (
	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

type service struct {
	LoadBalancer        *loadBalancer        `doc:"loadBalancer"`
	Weighted            *weighted            `doc:"weighted"`
	HighestRandomWeight *highestRandomWeight `doc:"highestRandomWeight"`
	Failover            *failover            `doc:"failover"`
	Mirroring           *mirroring           `doc:"mirroring"`
	Middlewares         []string             `doc:"middlewares"`
}

func (service) gaps() []gap { return []gap{{"loadBalancer.nginxUpstreamHashBy", ignored}} }

func decodeService(n *document.Node) (s service, mistakes []document.Mistake) {
	if n.Kind != document.Null {
		mistakes = document.Decode(n, &s)
	}
	return s, mistakes
}

func (o *object) service(spec *service) *model.Service {
	s := &model.Service{Name: o.ref.Name, Source: o.ref.Source}
	kinds := 0
	for _, kind := range []struct {
		key   string
		given bool
		read  func()
	}{
		{"loadBalancer", spec.LoadBalancer != nil, func() { o.loadBalancer(spec.LoadBalancer, s) }},
		{"weighted", spec.Weighted != nil, func() { o.weightedService(spec.Weighted, s) }},
		{"highestRandomWeight", spec.HighestRandomWeight != nil, func() { o.byClient(spec.HighestRandomWeight, s) }},
		{"failover", spec.Failover != nil, func() { o.failover(spec.Failover, s) }},
		{"mirroring", spec.Mirroring != nil, func() { o.mirroring(spec.Mirroring, s) }},
	} {
		if !kind.given {
			continue
		}
		if kinds++; kinds > 1 {
			o.in(kind.key).invalid("a service is one of loadBalancer, weighted, highestRandomWeight, failover and mirroring; " +
				"make them two services")
			continue
		}
		kind.read()
	}
	if kinds == 0 {
		o.in().invalid("say what the service is: loadBalancer, weighted, highestRandomWeight, failover or mirroring")
	}
	for i, name := range spec.Middlewares {
		s.Middlewares = append(s.Middlewares, o.in("middlewares", i).ref(name))
	}
	return s
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
