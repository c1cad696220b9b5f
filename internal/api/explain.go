package api

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"path"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/route"
	"github.com/fairlead/fairlead/internal/upstream"
)

// Question is a request that is to be explained.
type Question struct {
	// URL is absolute: http://shop.example/cart?id=1; for a stream, tcp://any, tls://db.example (the name that the client
	// asks for) or udp://any.
	URL        string
	ALPN       []string // protocols that the client of a stream offers with TLS
	Method     string   // "": GET
	Headers    []string // "Name: value"; Host takes the place of the URL's
	ClientIP   string   // "": not known
	EntryPoint string   // "": the one that the URL's scheme and port lead to
}

// maxHeaders bounds a question, as an entry point bounds a request.
const maxHeaders = 200

func (s *server) explain(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	e, err := Explain(s.Options, Question{
		URL: query.Get("url"), Method: query.Get("method"), Headers: query["header"], ALPN: query["alpn"],
		ClientIP: query.Get("clientIP"), EntryPoint: query.Get("entryPoint"),
	})
	if err != nil {
		return err
	}
	return answerFresh(w, http.StatusOK, e) // what is asked may hold credentials
}

// Explain says where a request would go. Of the options it needs the proxy, the cluster and the entry points; without
// hosts, every endpoint counts as unknown. The error, if there is one, is an [*Error]: the question makes no sense.
func Explain(o Options, question Question) (Explanation, error) {
	q, scheme, err := o.request(question)
	if err != nil {
		return Explanation{}, err
	}
	s := &server{Options: o}
	v, found := s.lookAtHosts(), o.Proxy.Explain(q)
	e := Explanation{Request: asked(q, scheme)}
	if found.Rule != nil {
		v.rules[found.Rule.Route.Ref()] = found.Rule // which may be of a newer generation
		var codes []string
		for _, p := range v.problems {
			if p.Object.Kind == model.KindRoute && p.Object.Ref == found.Rule.Route.Ref() {
				codes = append(codes, string(p.Code))
			}
		}
		chosen := v.route(found.Rule.Route, codes)
		e.Chosen = &chosen
	}
	for _, step := range found.Steps {
		e.Steps = append(e.Steps, Step{
			Route: step.Route.Ref().String(), Rule: step.Route.Match.String(), Priority: step.Route.Priority,
			Served: step.Rule != nil && !step.Rule.Broken, Chosen: step.Chosen, Why: step.Why,
		})
	}
	for _, d := range found.Backends {
		e.Backends = append(e.Backends, v.destination(d))
	}
	return e, nil
}

func (v *view) destination(d proxy.Destination) Destination {
	shown := Destination{
		Service: d.Service.Ref().String(), Percent: round(d.Percent), Reason: string(d.Reason),
		Clusters: v.shares(d.Portions), Endpoints: v.endpoints(d.Service), Copies: d.Copies,
	}
	for _, ref := range d.Via {
		shown.Via = append(shown.Via, ref.String())
	}
	shares := make(map[string]float64)
	for _, c := range shown.Clusters {
		shares[c.Cluster] = c.Share
	}
	for i := range shown.Endpoints {
		e := &shown.Endpoints[i]
		e.Candidate = shares[e.Cluster] > 0 && v.candidate(d, e)
	}
	return shown
}

// candidate reports whether an endpoint in a cluster that has a share might be chosen.
func (v *view) candidate(d proxy.Destination, e *Endpoint) bool {
	checked := e.Gateway || d.Service.Check != nil
	switch {
	case e.State != "ready" || e.Weight == 0:
		return false
	case d.Reason == upstream.Panic:
		return true
	case e.Health == string(upstream.Unhealthy) || e.EjectedUntil.After(v.now):
		return false
	case e.HeldUntil.After(v.now) || checked && e.Health == string(upstream.Unknown):
		return d.Reason == upstream.Standby
	}
	return true
}

// request makes of a question what a rule may ask of a request.
func (o Options) request(q Question) (*route.Request, string, error) {
	u, err := url.Parse(q.URL)
	if err == nil && isStream(u.Scheme) {
		return o.stream(q, u)
	}
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, "", problem(http.StatusBadRequest, "url: %.200q is no URL such as http://shop.example/cart", q.URL)
	case !httpguts.ValidHeaderFieldName(cmp.Or(q.Method, "GET")):
		return nil, "", problem(http.StatusBadRequest, "method: %.80q is none", q.Method)
	}
	u = u.JoinPath() // dot segments and repeated slashes are resolved before a request is matched
	if trimmed := strings.TrimSuffix(u.Path, "/"); trimmed != strings.TrimSuffix(path.Clean(u.Path), "/") {
		return nil, "", problem(http.StatusBadRequest, "url: entry points refuse a path with escaped dot segments")
	}
	r := &route.Request{
		Method: cmp.Or(q.Method, "GET"), TLS: u.Scheme == "https", Path: cmp.Or(u.Path, "/"), RawQuery: u.RawQuery,
	}
	if r.Header, err = readHeaders(q.Headers); err != nil {
		return nil, "", err
	}
	if host := r.Header.Get("Host"); host != "" {
		u.Host = host
		r.Header.Del("Host") // as in a request, it is no header for the rules
	}
	r.Host = strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if q.ClientIP != "" {
		if r.ClientIP, err = netip.ParseAddr(q.ClientIP); err != nil {
			return nil, "", problem(http.StatusBadRequest, "clientIP: %.80q is no address", q.ClientIP)
		}
	}
	if r.EntryPoint, r.Default, err = o.entryPoint(q.EntryPoint, u); err != nil {
		return nil, "", err
	}
	return r, u.Scheme, nil
}

func isStream(scheme string) bool { return scheme == "tcp" || scheme == "tls" || scheme == "udp" }

// stream is request for a stream. Where the URL names a host, it is what a TLS client asks for.
func (o Options) stream(q Question, u *url.URL) (*route.Request, string, error) {
	r := &route.Request{Lane: model.LaneTCP}
	switch u.Scheme {
	case "tls":
		r.TLS, r.Host, r.ALPN = true, strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), q.ALPN
	case "udp":
		r.Lane = model.LaneUDP
	}
	if len(q.Headers) > 0 || u.Path != "" || u.RawQuery != "" {
		return nil, "", problem(http.StatusBadRequest, "url: a stream has no path, no query and no header fields")
	}
	if u.Scheme != "tls" && len(q.ALPN) > 0 {
		return nil, "", problem(http.StatusBadRequest, "alpn: only TLS offers protocols; ask for tls://")
	}
	var err error
	if q.ClientIP != "" {
		if r.ClientIP, err = netip.ParseAddr(q.ClientIP); err != nil {
			return nil, "", problem(http.StatusBadRequest, "clientIP: %.80q is no address", q.ClientIP)
		}
	}
	fit := o
	fit.EntryPoints = slices.DeleteFunc(slices.Clone(o.EntryPoints), func(e EntryPoint) bool {
		return e.UDP != (r.Lane == model.LaneUDP)
	})
	if r.EntryPoint, r.Default, err = fit.entryPoint(q.EntryPoint, u); err != nil {
		return nil, "", err
	}
	return r, u.Scheme, nil
}

func readHeaders(lines []string) (http.Header, error) {
	h := make(http.Header)
	if len(lines) > maxHeaders {
		return nil, problem(http.StatusBadRequest, "there are more than %d headers", maxHeaders)
	}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		value = textproto.TrimString(value)
		if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, problem(http.StatusBadRequest, "header: %.80q is none such as \"Accept: text/html\"", name)
		}
		h.Add(name, value)
	}
	return h, nil
}

// entryPoint finds where a request to a URL comes in: by the name, if one is given; or else by the port, if the URL has
// one; or else the first of the scheme, those that serve by default before the others.
func (o Options) entryPoint(name string, u *url.URL) (string, bool, error) {
	if name != "" {
		i := slices.IndexFunc(o.EntryPoints, func(e EntryPoint) bool { return e.Name == name })
		if i < 0 && len(o.EntryPoints) > 0 {
			return "", false, problem(http.StatusBadRequest, "entryPoint: %.80q does not exist; there are: %s", name,
				strings.Join(o.entryPointNames(), ", "))
		}
		return name, i < 0 || o.EntryPoints[i].Default, nil
	}
	for _, fits := range []func(EntryPoint) bool{
		func(e EntryPoint) bool { return e.Port == u.Port() && e.UDP == (u.Scheme == "udp") },
		func(e EntryPoint) bool { return e.Default && !e.UDP && e.TLS == (u.Scheme == "https") },
		func(e EntryPoint) bool { return !e.UDP && e.TLS == (u.Scheme == "https") },
		func(e EntryPoint) bool { return isStream(u.Scheme) && e.Default },
	} {
		if i := slices.IndexFunc(o.EntryPoints, fits); i >= 0 {
			return o.EntryPoints[i].Name, o.EntryPoints[i].Default, nil
		}
	}
	return "", true, nil
}

func (o Options) entryPointNames() (names []string) {
	for _, e := range o.EntryPoints {
		names = append(names, e.Name)
	}
	return names
}

// asked shows the request that the rules saw.
func asked(q *route.Request, scheme string) ExplainedRequest {
	r := ExplainedRequest{
		Method: q.Method, Scheme: scheme, Host: q.Host, Path: q.Path, Query: q.RawQuery, ALPN: q.ALPN,
		EntryPoint: q.EntryPoint,
	}
	for _, name := range slices.Sorted(maps.Keys(q.Header)) {
		for _, value := range q.Header[name] {
			r.Headers = append(r.Headers, fmt.Sprintf("%s: %s", name, value))
		}
	}
	if q.ClientIP.IsValid() {
		r.ClientIP = q.ClientIP.String()
	}
	return r
}
