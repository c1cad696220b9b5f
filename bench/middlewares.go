//go:build linux

package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// measured is a middleware, as it is configured and what a request needs to pass it.
type measured struct {
	name   string
	spec   string   // in the dynamic format; "": the route has no middleware
	path   string   // "": smallPath
	fields []string // of the request: "Name: value"
}

const (
	benchKey    = "a-key-that-is-known-to-nobody-else"
	benchSecret = "a-secret-of-thirty-two-bytes-or-more"
)

// measuredMiddlewares are all that can be measured with the same GET over HTTP/1.1 each time, and without other
// programs; package middleware has a benchmark of the rest. The first is no middleware. Authority is where the service
// is.
func measuredMiddlewares(authority string) ([]measured, error) {
	password, err := bcrypt.GenerateFromPassword([]byte("password"), bcrypt.MinCost)
	if err != nil {
		return nil, fmt.Errorf("hashing a password: %w", err)
	}
	key := sha256.Sum256([]byte(benchKey))
	basic := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("user:password"))
	return []measured{
		{name: "none"},
		{name: "addPrefix", spec: `addPrefix: {prefix: /bytes}`, path: "/128"},
		{name: "apiKey", spec: `apiKey: {header: X-Key, hashes: [` + hex.EncodeToString(key[:]) + `]}`,
			fields: []string{"X-Key: " + benchKey}},
		{name: "basicAuth", spec: `basicAuth: {users: ["user:` + string(password) + `"]}`, fields: []string{basic}},
		{name: "buffering", spec: `buffering: {maxResponseBodyBytes: 1000000}`},
		{name: "cache", spec: `cache: {}`, path: "/cached/128"},
		{name: "circuitBreaker", spec: `circuitBreaker: {expression: NetworkErrorRatio() > 0.5}`},
		{name: "compress", spec: `compress: {}`}, // an answer that is too small for it
		{name: "contentType", spec: `contentType: {}`},
		{name: "encodedCharacters", spec: `encodedCharacters: {}`},
		{name: "errors", spec: `errors: {status: ["500-599"], service: s000, query: /bytes/1}`},
		{name: "forwardAuth", spec: `forwardAuth: {address: "http://` + authority + `/bytes/0"}`},
		{name: "grpcWeb", spec: `grpcWeb: {allowOrigins: ["*"]}`}, // what is not its own passes
		{name: "headers", spec: `headers: {customRequestHeaders: {X-A: b}, customResponseHeaders: {X-C: d}}`},
		{name: "headers (CORS)", spec: `headers: {accessControlAllowOriginList: ["https://a.example"], addVaryHeader: true}`,
			fields: []string{"Origin: https://a.example"}},
		{name: "httpSignature", spec: `httpSignature: {keys: [{id: bench, secret: ` + benchSecret + `}], ` +
			`requiredComponents: ["@method"], maxAge: 1h}`, fields: benchSignature()},
		{name: "inFlightReq", spec: `inFlightReq: {amount: 10000}`},
		{name: "ipAllowList", spec: `ipAllowList: {sourceRange: ["10.0.0.0/8", "127.0.0.0/8"]}`},
		{name: "jwt", spec: `jwt: {signingSecret: ` + benchSecret + `, algorithms: [HS256], allowNoExpiry: true}`,
			fields: []string{"Authorization: Bearer " + benchToken()}},
		{name: "opa", spec: `opa: {policy: "package bench\nallow if input.method == \"GET\""}`},
		{name: "passTLSClientCert", spec: `passTLSClientCert: {pem: true}`}, // nobody has one
		{name: "rateLimit", spec: `rateLimit: {average: 1000000000, burst: 1000000}`},
		{name: "redirectRegex", spec: `redirectRegex: {regex: "^http://a.example/(.*)", replacement: "http://b.example/$1"}`},
		{name: "replacePath", spec: `replacePath: {path: ` + smallPath + `}`},
		{name: "replacePathRegex", spec: `replacePathRegex: {regex: "^/old/(.*)", replacement: "/bytes/$1"}`,
			path: "/old/128"},
		{name: "requestId", spec: `requestId: {}`},
		{name: "retry", spec: `retry: {attempts: 3}`},
		{name: "stripPrefix", spec: `stripPrefix: {prefixes: [/old]}`, path: "/old" + smallPath},
		{name: "stripPrefixRegex", spec: `stripPrefixRegex: {regex: ["^/v[0-9]+"]}`, path: "/v1" + smallPath},
		{name: "waf (core rule set)", spec: `waf: {}`},
	}, nil
}

// benchToken is a token that jwt admits (RFC 7515, HS256).
func benchToken() string {
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(`{"sub":"user","scope":"read"}`))
	mac := hmac.New(sha256.New, []byte(benchSecret))
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}

// benchSignature are the fields of a request that httpSignature admits for an hour (RFC 9421, hmac-sha256).
func benchSignature() []string {
	params := fmt.Sprintf(`("@method");created=%d;keyid="bench"`, time.Now().Unix())
	mac := hmac.New(sha256.New, []byte(benchSecret))
	mac.Write([]byte("\"@method\": GET\n\"@signature-params\": " + params))
	return []string{
		"Signature-Input: bench=" + params, "Signature: bench=:" + base64.StdEncoding.EncodeToString(mac.Sum(nil)) + ":",
	}
}

// middlewareSite is a route for each middleware, in their order. All lead to the same service.
func middlewareSite(s *site) error {
	all, err := measuredMiddlewares(s.Services[0].Endpoints[1])
	if err != nil {
		return err
	}
	s.Routes, s.Middlewares = nil, make(map[string]string)
	for n, m := range all {
		r := route{Name: fmt.Sprintf("r%05d", n), Host: hostOf(n), Service: s.Services[0].Name}
		if m.spec != "" {
			name := fmt.Sprintf("m%d", n)
			r.Middlewares, s.Middlewares[name] = []string{name}, m.spec
		}
		s.Routes = append(s.Routes, r)
	}
	return nil
}

// middlewareWork measures what each middleware adds to a request, Fairlead alone.
type middlewareWork struct{}

func (middlewareWork) fresh() bool { return false }

func (middlewareWork) columns() []column {
	return []column{
		{"middleware", func(r result) string { return r.Middleware }},
		{"CPU us", func(r result) string { return orDash("%.1f", r.CPU) }},
		{"it / none", func(r result) string { return orDash("%.2f", r.Ratio) }},
		{"(low-high)", func(r result) string { return fmt.Sprintf("(%.2f-%.2f)", r.RatioLow, r.RatioHigh) }},
		{"allocs", allocations},
		{"failed", func(r result) string { return strconv.Itoa(r.Failed) }},
	}
}

// measure visits the routes of every Fairlead in turns, each round in the opposite order.
func (middlewareWork) measure(ctx context.Context, r *run, up []*instance) (results []result, err error) {
	for _, i := range up {
		all, err := measuredMiddlewares(i.site.Services[0].Endpoints[1])
		if err != nil {
			return nil, err
		}
		got := make([]samples, len(all))
		for round := range r.plan.rounds {
			for n := range all {
				if round%2 == 1 {
					n = len(all) - 1 - n
				}
				m := all[n]
				r.say("round %d of %d: %s, %s", round+1, r.plan.rounds, i.name, m.name)
				w := loadWork{load: wrk{connections: 64, hosts: 1, first: n, path: m.requestPath(), fields: m.fields}}
				if err := w.round(ctx, r, i, &got[n]); err != nil {
					return nil, fmt.Errorf("%s: %w", m.name, err)
				}
			}
		}
		for n, s := range got {
			one := s.result(i, r.plan.rounds)
			one.Middleware = all[n].name
			one.Ratio, one.RatioLow, one.RatioHigh = ratio(s.cpu, got[0].cpu)
			results = append(results, one)
		}
	}
	return results, nil
}

func (m measured) requestPath() string {
	if m.path != "" {
		return m.path
	}
	return smallPath
}

// asJSON writes a value into a template: JSON is YAML, too.
func asJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}
