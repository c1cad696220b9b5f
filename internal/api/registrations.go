package api

import (
	"cmp"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/access"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/machines"
)

func (s *server) listRegistrations(w http.ResponseWriter, r *http.Request) error {
	var shown []Registration
	if s.Machines != nil {
		for _, m := range s.Machines.List() {
			shown = append(shown, registrationOf(m))
		}
	}
	return answerList(w, r, shown, func(r Registration) ([]string, string) {
		return []string{r.Service, r.Service + "@machines", r.Address}, s.Cluster
	})
}

// registrationOf returns what the API shows of a registration.
func registrationOf(m machines.Registration) Registration {
	shown := Registration{
		Service: m.Service, Address: m.Address, Protocol: string(cmp.Or(m.Protocol, model.HTTP)), Weight: m.Weight,
		State: string(cmp.Or(m.State, stateReady)), Labels: m.Labels, TTL: m.TTL.String(), By: m.By,
		Since: m.Since, Ends: m.Ends.UTC(),
	}
	if c := m.Check; c != nil {
		shown.Check = &RegistrationCheck{Path: c.Path}
		if c.Interval > 0 {
			shown.Check.Interval = c.Interval.String()
		}
		if c.Timeout > 0 {
			shown.Check.Timeout = c.Timeout.String()
		}
	}
	return shown
}

// stateReady is what the API calls the state that the model leaves empty.
const stateReady model.EndpointState = "ready"

func (s *server) register(w http.ResponseWriter, r *http.Request) error {
	if s.Machines == nil {
		return nowhereToRegister()
	}
	var spec RegistrationSpec
	if err := readBody(w, r, &spec); err != nil {
		return err
	}
	if len(spec.Labels) > 0 { // they make routes, which may take any host
		if _, err := s.authorise(r, access.AllServices); err != nil {
			return err
		}
	}
	asked, err := registrationFor(r, spec)
	if err != nil {
		return err
	}
	m, err := s.Machines.Register(r.Context(), asked)
	switch {
	case errors.Is(err, machines.ErrInvalid):
		return problem(http.StatusUnprocessableEntity, "%v", err)
	case errors.Is(err, machines.ErrFull):
		return problem(http.StatusInsufficientStorage, "%v", err)
	case err != nil:
		return err
	}
	return answerFresh(w, http.StatusOK, registrationOf(m))
}

// registrationFor reads what an instance says of itself.
func registrationFor(r *http.Request, spec RegistrationSpec) (machines.Registration, error) {
	m := machines.Registration{
		Service: r.PathValue("service"), Address: addressOf(r), Protocol: model.Protocol(spec.Protocol), Weight: 1,
		State: model.EndpointState(spec.State), Labels: spec.Labels, By: sessionOf(r).ID(),
	}
	if spec.Weight != nil {
		m.Weight = *spec.Weight
	}
	if m.Protocol == model.HTTP {
		m.Protocol = ""
	}
	if m.State == stateReady {
		m.State = model.Ready
	}
	texts := []durationText{{"ttl", spec.TTL, &m.TTL}}
	if c := spec.Check; c != nil {
		m.Check = &model.HealthCheck{Path: c.Path}
		texts = append(texts,
			durationText{"check.interval", c.Interval, &m.Check.Interval},
			durationText{"check.timeout", c.Timeout, &m.Check.Timeout})
	}
	for _, t := range texts {
		if err := t.read(); err != nil {
			return m, err
		}
	}
	return m, nil
}

// durationText is a duration of a request. "": as by default.
type durationText struct {
	field, text string
	into        *time.Duration
}

func (t durationText) read() error {
	if t.text == "" {
		return nil
	}
	d, err := time.ParseDuration(t.text)
	if err != nil || d <= 0 {
		return problem(http.StatusBadRequest, "%s: %.80q is no duration such as 15s or 1m30s", t.field, t.text)
	}
	*t.into = d
	return nil
}

// addressOf returns the address that a request's path names. Where it names a port alone, the host is the client's.
func addressOf(r *http.Request) string {
	address := r.PathValue("address")
	host, port, err := net.SplitHostPort(address)
	from, fromErr := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || host != "" || fromErr != nil {
		return address
	}
	return net.JoinHostPort(from.Addr().Unmap().WithZone("").String(), port)
}

func (s *server) deregister(w http.ResponseWriter, r *http.Request) error {
	if s.Machines == nil {
		return nowhereToRegister()
	}
	err := s.Machines.Deregister(r.Context(), r.PathValue("service"), addressOf(r))
	switch {
	case errors.Is(err, machines.ErrNotFound):
		return problem(http.StatusNotFound, "%v", err)
	case err != nil:
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func nowhereToRegister() error {
	return problem(http.StatusNotFound, "nothing can be registered here; write providers: {machines: {}} in the "+
		"instance's file")
}
