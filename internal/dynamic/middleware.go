package dynamic

import (
	"maps"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

// middlewareSpec is what a file says of one kind of middleware. Each kind has a file of its own.
type middlewareSpec interface {
	// build checks the spec and fills in the kind's field of m. At is where the spec stands.
	build(at place, m *model.Middleware)
	// gaps are the keys that are known and not supported yet, relative to the spec.
	gaps() []gap
}

// middlewareKinds are the kinds that are served.
var middlewareKinds = map[string]func() middlewareSpec{
	"addPrefix":              func() middlewareSpec { return new(addPrefix) },
	"apiKey":                 func() middlewareSpec { return new(apiKey) },
	"basicAuth":              func() middlewareSpec { return new(basicAuth) },
	"buffering":              func() middlewareSpec { return new(buffering) },
	"cache":                  func() middlewareSpec { return new(cache) },
	"chain":                  func() middlewareSpec { return new(chain) },
	"circuitBreaker":         func() middlewareSpec { return new(circuitBreaker) },
	"compress":               func() middlewareSpec { return new(compress) },
	"contentType":            func() middlewareSpec { return new(contentType) },
	"digestAuth":             func() middlewareSpec { return new(digestAuth) },
	"encodedCharacters":      func() middlewareSpec { return new(encodedCharacters) },
	"errors":                 func() middlewareSpec { return new(errorPages) },
	"forwardAuth":            func() middlewareSpec { return new(forwardAuth) },
	"grpcWeb":                func() middlewareSpec { return new(grpcWeb) },
	"headers":                func() middlewareSpec { return new(headers) },
	"httpSignature":          func() middlewareSpec { return new(httpSignature) },
	"inFlightReq":            func() middlewareSpec { return new(inFlightReq) },
	"ipAllowList":            func() middlewareSpec { return new(ipAllowList) },
	"ipWhiteList":            func() middlewareSpec { return new(ipWhiteList) },
	"jwt":                    func() middlewareSpec { return new(jwt) },
	"ldap":                   func() middlewareSpec { return new(ldap) },
	"maintenance":            func() middlewareSpec { return new(maintenance) },
	"oAuthClientCredentials": func() middlewareSpec { return new(oAuthClientCredentials) },
	"oAuthIntrospection":     func() middlewareSpec { return new(oAuthIntrospection) },
	"oidc":                   func() middlewareSpec { return new(oidc) },
	"opa":                    func() middlewareSpec { return new(opa) },
	"passTLSClientCert":      func() middlewareSpec { return new(passTLSClientCert) },
	"rateLimit":              func() middlewareSpec { return new(rateLimit) },
	"redirectRegex":          func() middlewareSpec { return new(redirectRegex) },
	"redirectScheme":         func() middlewareSpec { return new(redirectScheme) },
	"replacePath":            func() middlewareSpec { return new(replacePath) },
	"replacePathRegex":       func() middlewareSpec { return new(replacePathRegex) },
	"requestId":              func() middlewareSpec { return new(requestID) },
	"retry":                  func() middlewareSpec { return new(retry) },
	"stripPrefix":            func() middlewareSpec { return new(stripPrefix) },
	"stripPrefixRegex":       func() middlewareSpec { return new(stripPrefixRegex) },
	"waf":                    func() middlewareSpec { return new(waf) },
	"wasm":                   func() middlewareSpec { return new(wasm) },
}

// otherMiddlewares are the kinds that Traefik v3 documents and that are not served yet.
var otherMiddlewares = []string{
	"appRoot", "authTLSPassCertificateToUpstream",
	"plugin", "requestHeaderModifier",
	"requestRedirect", "responseHeaderModifier", "rewriteTarget", "snippet", "upstreamVHost", "URLRewrite",
}

// middleware is one entry of http.middlewares.
type middleware struct {
	kind   string // of spec, as the owner writes it
	spec   middlewareSpec
	others []document.Field // kinds that are not served, and a second one
}

func (m middleware) gaps() []gap {
	var gaps []gap
	for _, name := range otherMiddlewares {
		gaps = append(gaps, gap{name, left})
	}
	if m.spec != nil {
		for _, g := range m.spec.gaps() {
			gaps = append(gaps, gap{m.kind + "." + g.path, g.effect})
		}
	}
	return gaps
}

func decodeMiddleware(n *document.Node) (m middleware, mistakes []document.Mistake) {
	if n.Kind == document.Scalar || n.Kind == document.List {
		return m, []document.Mistake{{At: n.At, Message: "expected a map, found " + n.Kind.String()}}
	}
	for _, f := range n.Fields {
		spec := newMiddleware(f.Name)
		switch {
		case spec == nil:
			mistakes = append(mistakes, document.Mistake{
				At: f.At, Field: f.Name, Unknown: true, Message: unknownMiddleware(f.Name), Value: &document.Node{
					Kind: document.Scalar, Text: "true", // an empty one is asked for as much as a full one
				},
			})
		case m.spec != nil:
			m.others = append(m.others, f)
		default:
			m.kind, m.spec = f.Name, spec
			if f.Value.Kind != document.Null && !isTrue(f.Value) {
				mistakes = append(mistakes, prefixed(f.Name, document.Decode(f.Value, spec))...)
			}
		}
	}
	return m, mistakes
}

// isTrue recognises what labels write for a middleware without options: "compress=true".
func isTrue(n *document.Node) bool { return n.Kind == document.Scalar && n.Text == "true" }

func newMiddleware(name string) middlewareSpec {
	for kind, construct := range middlewareKinds {
		if strings.EqualFold(kind, name) {
			return construct()
		}
	}
	return nil
}

func unknownMiddleware(name string) string {
	known := append(sortedKeys(middlewareKinds), otherMiddlewares...)
	return strings.Replace(document.UnknownField(name, known), "field", "kind of middleware", 1)
}

func (o *object) middleware(spec *middleware) *model.Middleware {
	m := &model.Middleware{Name: o.ref.Name, Source: o.ref.Source}
	for _, f := range spec.others {
		o.in(f.Name).invalid("a middleware is of one kind only (here %s); make it a second one", spec.kind)
	}
	if spec.spec != nil {
		spec.spec.build(o.in(spec.kind), m)
	} else {
		o.in().invalid("say what the middleware does: one of %s", strings.Join(sortedKeys(middlewareKinds), ", "))
	}
	return m
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
