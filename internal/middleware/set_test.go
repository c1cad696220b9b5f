package middleware

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fairlead/fairlead/internal/model"
)

// named returns a middleware "m@file" with the fields of spec.
func named(spec model.Middleware) *model.Middleware {
	spec.Name, spec.Source = model.ParseName("m"), "file"
	return &spec
}

func build(t testing.TB, s *Set, spec model.Middleware) Func {
	t.Helper()
	f, err := s.Build(named(spec), Use{})
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	return f
}

// seen is what the service gets. nil: nothing came so far.
type seen struct {
	Method, Host, Path, RawPath, Query, URI string
	Header                                  http.Header
}

// exchange sends r through f to a service that answers 200, and returns the answer and what the service saw.
func exchange(f Func, r *http.Request) (*httptest.ResponseRecorder, *seen) {
	var s *seen
	service := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s = &seen{r.Method, r.Host, r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.RequestURI, r.Header.Clone()}
	})
	w := httptest.NewRecorder()
	f(service).ServeHTTP(w, r)
	return w, s
}

// request returns GET target with the fields "Name: value".
func request(target string, fields ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header[name] = append(r.Header[name], value)
	}
	return r
}

// reasons is a ResponseWriter that notes why an answer was made.
type reasons struct {
	*httptest.ResponseRecorder
	reason string
	rules  []int
}

func (r *reasons) SetReason(reason string) { r.reason = reason }

func (r *reasons) NoteRule(id int) { r.rules = append(r.rules, id) }

// wrapped hides what it wraps, but for Unwrap.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// leak is a secret that must not appear in an error.
const leak = "5ec3e75ec3e75ec3e7"

type badSpec struct {
	spec model.Middleware
	want string // what the error begins with
}

func TestBuildSaysWhatIsWrongWithCredentials(t *testing.T) {
	checkBad(t, map[string]badSpec{
		"no kind": {model.Middleware{}, "middleware: m@file has no kind"},
		"chain":   {model.Middleware{Chain: &model.Chain{}}, "chain: is not a handler"},
		"apiKey nowhere": {
			model.Middleware{APIKey: &model.APIKey{Scope: "route:m"}}, "apiKey: says nowhere",
		},
		"apiKey none": {model.Middleware{APIKey: &model.APIKey{Header: "X-Key"}}, "apiKey: admits no key"},
		"apiKey hash": {
			model.Middleware{APIKey: &model.APIKey{Header: "X-Key", Hashes: []model.Secret{model.NewSecret(leak)}}},
			"apiKey.hashes[0]: is not a SHA-256 sum",
		},
		"apiKey no store": {
			model.Middleware{APIKey: &model.APIKey{Header: "X-Key", Scope: "route:m"}}, "apiKey.scope: this instance",
		},
		"apiKey link's field": {
			model.Middleware{APIKey: &model.APIKey{Header: "fairlead-key"}}, "apiKey.header: Fairlead-Key is reserved",
		},
		"apiKey identity": {
			model.Middleware{APIKey: &model.APIKey{Header: "X-Key", IdentityHeader: "Host"}},
			"apiKey.identityHeader: Host says",
		},
		"apiKey same field": {
			model.Middleware{APIKey: &model.APIKey{
				Header: "X-Key", IdentityHeader: "x-key", Hashes: []model.Secret{hashOf("k")},
			}},
			"apiKey.identityHeader: X-Key holds the key",
		},
		"basicAuth empty": {model.Middleware{BasicAuth: &model.BasicAuth{}}, "basicAuth.users: is empty"},
		"basicAuth line": {
			model.Middleware{BasicAuth: &model.BasicAuth{Users: []model.Secret{model.NewSecret(leak)}}},
			"basicAuth.users[0]: is not user:hash",
		},
		"basicAuth plain": {
			model.Middleware{BasicAuth: &model.BasicAuth{Users: []model.Secret{model.NewSecret("amy:" + leak)}}},
			"basicAuth.users[0]: has no hash of a known kind",
		},
		"basicAuth broken bcrypt": {
			model.Middleware{BasicAuth: &model.BasicAuth{Users: []model.Secret{model.NewSecret("amy:$2y$" + leak)}}},
			"basicAuth.users[0]: has no hash",
		},
		"basicAuth realm": {
			model.Middleware{BasicAuth: &model.BasicAuth{Users: users("amy"), Realm: "a\r\nb"}}, "basicAuth.realm: has control",
		},
	})
}

func TestBuildSaysWhatIsWrong(t *testing.T) {
	checkBad(t, map[string]badSpec{
		"headers connection": {
			model.Middleware{Headers: &model.Headers{Request: map[string]string{"transfer-encoding": "x"}}},
			"headers.customRequestHeaders: Transfer-Encoding belongs to the connection",
		},
		"headers reserved": {
			model.Middleware{Headers: &model.Headers{Response: map[string]string{"Fairlead-Reason": ""}}},
			"headers.customResponseHeaders: Fairlead-Reason is reserved",
		},
		"headers name": {
			model.Middleware{Headers: &model.Headers{Request: map[string]string{"a b": "x"}}},
			`headers.customRequestHeaders: "a b" is not`,
		},
		"headers value": {
			model.Middleware{Headers: &model.Headers{Response: map[string]string{"X-A": "a\r\nSet-Cookie: b"}}},
			"headers.customResponseHeaders.X-A: the value has control",
		},
		"headers origin": {
			model.Middleware{Headers: &model.Headers{CORS: &model.CORS{OriginRegexes: []string{"a", "("}}}},
			"headers.accessControlAllowOriginListRegex[1]: ",
		},
		"headers CORS": {
			model.Middleware{Headers: &model.Headers{CORS: &model.CORS{Methods: []string{"a\r\nb"}}}},
			"headers.accessControlAllow…: ",
		},
		"headers host": {
			model.Middleware{Headers: &model.Headers{HTTPS: &model.HTTPSRedirect{Host: "a/b"}}}, `headers.sslHost: "a/b"`,
		},
		"maintenance range": {
			model.Middleware{Maintenance: &model.Maintenance{Except: []string{"x"}}}, "maintenance.except[0]: ",
		},
		"maintenance status": {
			model.Middleware{Maintenance: &model.Maintenance{Status: 101}}, "maintenance.statusCode: 101",
		},
		"requestId": {
			model.Middleware{RequestID: &model.RequestID{Header: "host"}}, "requestId.header: Host says",
		},
		"ipAllowList empty": {model.Middleware{IPAllowList: &model.IPAllowList{}}, "ipAllowList.sourceRange: is empty"},
		"ipAllowList range": {
			model.Middleware{IPAllowList: &model.IPAllowList{Ranges: []string{"10.0.0.0/8", "10.0.0.0/33"}}},
			`ipAllowList.sourceRange[1]: "10.0.0.0/33" is neither`,
		},
		"ipAllowList status": {
			model.Middleware{IPAllowList: &model.IPAllowList{Ranges: []string{"::1"}, Status: 99}},
			"ipAllowList.rejectStatusCode: 99",
		},
		"ipAllowList depth": {
			model.Middleware{IPAllowList: &model.IPAllowList{
				Ranges: []string{"::1"}, ClientAddress: model.ClientAddress{Depth: -1},
			}},
			"ipAllowList.ipStrategy.depth: -1",
		},
		"ipAllowList excluded": {
			model.Middleware{IPAllowList: &model.IPAllowList{
				Ranges: []string{"::1"}, ClientAddress: model.ClientAddress{Excluded: []string{"x"}},
			}},
			`ipAllowList.ipStrategy.excludedIPs[0]: "x"`,
		},
		"rateLimit average": {model.Middleware{RateLimit: &model.RateLimit{Average: -1}}, "rateLimit.average: -1"},
		"rateLimit period":  {model.Middleware{RateLimit: &model.RateLimit{Period: -1}}, "rateLimit.period: -1ns"},
		"rateLimit burst":   {model.Middleware{RateLimit: &model.RateLimit{Burst: -1}}, "rateLimit.burst: -1"},
		"rateLimit source": {
			model.Middleware{RateLimit: &model.RateLimit{Criterion: model.Criterion{ByHeader: "X-User", ByHost: true}}},
			"rateLimit.sourceCriterion: has several",
		},
		"rateLimit subnet": {
			model.Middleware{RateLimit: &model.RateLimit{
				Criterion: model.Criterion{ClientAddress: model.ClientAddress{IPv6Subnet: 129}},
			}},
			"rateLimit.sourceCriterion.ipStrategy.ipv6Subnet: 129",
		},
		"redirectScheme scheme": {
			model.Middleware{RedirectScheme: &model.RedirectScheme{Scheme: "https://"}}, `redirectScheme.scheme: "https://"`,
		},
		"redirectScheme port": {
			model.Middleware{RedirectScheme: &model.RedirectScheme{Scheme: "https", Port: "443\r\n"}},
			`redirectScheme.port: "443\r\n"`,
		},
	})
}

func TestBuildSaysWhatIsWrongWithPaths(t *testing.T) {
	checkBad(t, map[string]badSpec{
		"addPrefix empty": {model.Middleware{AddPrefix: &model.AddPrefix{}}, "addPrefix.prefix: is empty"},
		"replacePath empty": {
			model.Middleware{ReplacePath: &model.ReplacePath{}}, "replacePath.path: is empty",
		},
		"replacePath escape": {
			model.Middleware{ReplacePath: &model.ReplacePath{Path: "/%2"}}, `replacePath.path: "/%2" has a percent sign`,
		},
		"replacePathRegex": {
			model.Middleware{ReplacePathRegex: &model.ReplacePathRegex{Regex: "("}}, "replacePathRegex.regex: ",
		},
		"stripPrefixRegex": {
			model.Middleware{StripPrefixRegex: &model.StripPrefixRegex{Regex: []string{"a", "("}}},
			"stripPrefixRegex.regex[1]: ",
		},
		"redirectRegex": {model.Middleware{RedirectRegex: &model.RedirectRegex{Regex: "("}}, "redirectRegex.regex: "},
	})
}

func TestBuildSaysWhatIsWrongWithLoad(t *testing.T) {
	checkBad(t, map[string]badSpec{
		"buffering size": {model.Middleware{Buffering: &model.Buffering{MemRequest: -1}}, "buffering: has a negative"},
		"buffering retry": {
			model.Middleware{Buffering: &model.Buffering{PassRequest: true, Retry: &model.Condition{}}},
			"buffering.retryExpression: needs",
		},
		"circuitBreaker status": {
			model.Middleware{CircuitBreaker: &model.CircuitBreaker{Status: 99}}, "circuitBreaker.responseCode: 99",
		},
		"circuitBreaker time": {
			model.Middleware{CircuitBreaker: &model.CircuitBreaker{Recovery: -1}}, "circuitBreaker: has a negative",
		},
		"cache size":   {model.Middleware{Cache: &model.Cache{MaxBytes: -1}}, "cache.maxBytes: "},
		"cache object": {model.Middleware{Cache: &model.Cache{MaxObjectBytes: -1}}, "cache.maxObjectBytes: "},
		"cache time":   {model.Middleware{Cache: &model.Cache{TTL: -1}}, "cache: has a negative time"},
		"cache purge": {
			model.Middleware{Cache: &model.Cache{PurgeHashes: []model.Secret{model.NewSecret(leak)}}}, "cache.purgeHashes[0]: ",
		},
		"compress encoding": {
			model.Middleware{Compress: &model.Compress{Encodings: []string{"deflate"}}}, "compress.encodings[0]: ",
		},
		"compress default": {
			model.Middleware{Compress: &model.Compress{DefaultEncoding: "a"}}, "compress.defaultEncoding: ",
		},
		"compress size": {
			model.Middleware{Compress: &model.Compress{MinBytes: -1}}, "compress.minResponseBodyBytes: -1",
		},
		"compress types": {
			model.Middleware{Compress: &model.Compress{Included: []string{"a"}, Excluded: []string{"b"}}},
			"compress.includedContentTypes: ",
		},
		"inFlightReq amount": {model.Middleware{InFlightReq: &model.InFlightReq{}}, "inFlightReq.amount: 0 admits"},
		"inFlightReq client": {
			model.Middleware{InFlightReq: &model.InFlightReq{Amount: 1, Criterion: model.Criterion{ByHeader: "a b"}}},
			"inFlightReq.sourceCriterion.requestHeaderName: ",
		},
	})
}

func TestBuildSaysWhatIsWrongWithServers(t *testing.T) {
	at := func(spec model.ForwardAuth) model.Middleware {
		if spec.Address == "" {
			spec.Address = "http://auth.example"
		}
		return model.Middleware{ForwardAuth: &spec}
	}
	checkBad(t, map[string]badSpec{
		"address":  {at(model.ForwardAuth{Address: "auth.example"}), "forwardAuth.address: "},
		"response": {at(model.ForwardAuth{Response: []string{"Host"}}), "forwardAuth.authResponseHeaders: Host says"},
		"regex":    {at(model.ForwardAuth{ResponseRegex: "("}), "forwardAuth.authResponseHeadersRegex: "},
		"cookies":  {at(model.ForwardAuth{CookiesRegex: "("}), "forwardAuth.addAuthCookiesToResponseRegex: "},
		"ca":       {at(model.ForwardAuth{TLS: &model.ClientTLS{CA: "x"}}), "forwardAuth.tls.ca: "},
		"key": {
			at(model.ForwardAuth{TLS: &model.ClientTLS{Cert: "x", Key: model.NewSecret(leak)}}),
			"forwardAuth.tls.cert: ",
		},
		"retry": {model.Middleware{Retry: &model.Retry{MaxBodyBytes: -1}}, "retry.maxRequestBodyBytes: -1"},
		"errors": {
			model.Middleware{Errors: &model.Errors{Rewrites: []model.StatusRewrite{{As: 1}}}}, "errors.statusRewrites: 1",
		},
	})
}

func checkBad(t *testing.T, cases map[string]badSpec) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f, err := NewSet(Options{}).Build(named(c.spec), Use{})
			var field *FieldError
			if f != nil || !errors.As(err, &field) {
				t.Fatalf("Build = %v, %v; want a FieldError", f != nil, err)
			}
			if !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("error %q, want %q…", err, c.want)
			}
			if strings.Contains(err.Error(), leak) {
				t.Errorf("error %q quotes a secret", err)
			}
		})
	}
}

func TestRetryAddsNothing(t *testing.T) {
	f := build(t, NewSet(Options{}), model.Middleware{Retry: &model.Retry{Attempts: 3}})
	next := http.NotFoundHandler()
	w := httptest.NewRecorder()
	f(next).ServeHTTP(w, request("/"))
	if w.Code != http.StatusNotFound {
		t.Errorf("status %d", w.Code)
	}
}

func TestEveryDefinitionIsInTheTable(t *testing.T) {
	all := named(model.Middleware{})
	fields := reflect.ValueOf(all).Elem()
	definitions := 0
	for i := range fields.NumField() {
		if f := fields.Field(i); f.Kind() == reflect.Pointer {
			f.Set(reflect.New(f.Type().Elem()))
			definitions++
		}
	}
	const gates = 1 // inFlightConn is for connections only
	if len(kinds) != definitions-gates {
		t.Errorf("%d kinds, %d definitions", len(kinds), definitions)
	}
	var names []string
	for _, k := range kinds {
		if _, ok, _ := k.build(NewSet(Options{}), Use{}, all); !ok {
			t.Errorf("%s does not find its definition", k.name)
		}
		names = append(names, k.name)
	}
	byLetters := func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) }
	if !slices.IsSortedFunc(names, byLetters) {
		t.Errorf("kinds are not sorted: %v", names)
	}
}

func TestReasonGoesThroughWrappers(t *testing.T) {
	f := build(t, NewSet(Options{}), model.Middleware{IPAllowList: &model.IPAllowList{Ranges: []string{"10.0.0.1"}}})
	w := &reasons{ResponseRecorder: httptest.NewRecorder()}
	f(http.NotFoundHandler()).ServeHTTP(wrapped{wrapped{w}}, request("/"))
	if w.Code != http.StatusForbidden || w.reason != "refused_by_ipAllowList" {
		t.Errorf("got %d %q", w.Code, w.reason)
	}
}

func TestKeepDropsWhatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSet(Options{})
		m := named(model.Middleware{RateLimit: &model.RateLimit{Average: 1, Period: keepUnused * 100}})
		m2 := *m
		m2.Name = model.ParseName("other")
		status := func(m *model.Middleware) int {
			f, err := s.Build(m, Use{})
			if err != nil {
				t.Fatal(err)
			}
			w, _ := exchange(f, request("/"))
			return w.Code
		}
		both, one := []*model.Middleware{m, &m2}, []*model.Middleware{m}
		if a, b := status(m), status(&m2); a != 200 || b != 200 {
			t.Fatalf("first requests: %d, %d", a, b)
		}
		s.Keep(both, nil)
		s.Keep(one, nil)
		wait(keepUnused - 1)
		s.Keep(one, nil)
		if got := status(&m2); got != 429 {
			t.Fatalf("forgotten too early: %d", got)
		}
		wait(1)
		s.Keep(one, nil) // gone anew: Build had used it
		if got := status(&m2); got != 429 {
			t.Fatalf("forgotten though it was used: %d", got)
		}
		s.Keep(one, nil)
		wait(keepUnused)
		s.Keep(one, nil)
		if got := status(&m2); got != 200 {
			t.Errorf("not forgotten: %d", got)
		}
		if got := status(m); got != 429 {
			t.Errorf("what is in use was forgotten: %d", got)
		}
	})
}

// What belongs to a route is forgotten with the route, though its middleware lives on.
func TestKeepDropsWhatBelongsToARoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSet(Options{})
		middleware, route := model.ParseRef("m@file"), model.ParseRef("r@file")
		at := place{middleware, route}
		many := slices.Repeat([]*model.Route{{Name: model.ParseName("a")}}, 100) // of which states have few
		middlewares := []*model.Middleware{{Name: middleware.Name, Source: middleware.Source}}
		routes := slices.Concat(many, []*model.Route{{Name: route.Name, Source: route.Source}})
		made := 0
		state := func() int { return stateOf(s, at, "like", func() int { made++; return made }) }
		if a, b := state(), state(); a != 1 || b != 1 {
			t.Errorf("made %d, then %d", a, b)
		}
		s.Keep(middlewares, many)
		s.Keep(middlewares, routes)
		wait(2 * keepUnused)
		s.Keep(middlewares, routes)
		if got := state(); got != 1 {
			t.Errorf("forgotten though its route is there: %d", got)
		}
		s.Keep(middlewares, many)
		wait(keepUnused)
		s.Keep(middlewares, many)
		if got := state(); got != 2 {
			t.Errorf("still %d", got)
		}
		if got := stateOf(s, at, "unlike", func() int { return 7 }); got != 7 {
			t.Errorf("kept %d for another thing", got)
		}
	})
}

// discard is a ResponseWriter that costs nothing.
type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// BenchmarkMiddleware measures what each adds to an admitted request; the request is restored between runs.
func BenchmarkMiddleware(b *testing.B) {
	specs := []struct {
		name   string
		spec   model.Middleware
		fields []string
	}{
		{"none", model.Middleware{Retry: &model.Retry{}}, nil},
		{"apiKey", model.Middleware{APIKey: &model.APIKey{Header: "X-Key", Hashes: []model.Secret{hashOf("key")},
			IdentityHeader: "X-User"}}, []string{"X-Key: key"}},
		{"basicAuth", model.Middleware{BasicAuth: &model.BasicAuth{Users: users("amy")}},
			[]string{"Authorization: Basic YW15OnBhc3N3b3Jk"}},
		{"headersRequest", model.Middleware{Headers: &model.Headers{Request: map[string]string{"X-A": "1", "X-B": ""}}}, nil},
		{"headersResponse", model.Middleware{Headers: &model.Headers{Response: map[string]string{"X-A": "1"}}}, nil},
		{"ipAllowList", model.Middleware{IPAllowList: &model.IPAllowList{
			Ranges: []string{"10.0.0.0/8", "192.0.2.0/24"}}}, nil},
		{"ipAllowListDepth", model.Middleware{IPAllowList: &model.IPAllowList{
			Ranges: []string{"10.0.0.0/8"}, ClientAddress: model.ClientAddress{Depth: 2}}},
			[]string{"X-Forwarded-For: 10.1.1.1, 10.1.1.2"}},
		{"rateLimit", model.Middleware{RateLimit: &model.RateLimit{Average: 1000, Burst: 1 << 40}}, nil},
		{"redirectScheme", model.Middleware{RedirectScheme: &model.RedirectScheme{Scheme: "http"}}, nil},
		{"stripPrefix", model.Middleware{StripPrefix: &model.StripPrefix{Prefixes: []string{"/api", "/shop"}}}, nil},
	}
	for _, spec := range specs {
		b.Run(spec.name, func(b *testing.B) {
			h := build(b, NewSet(Options{}), spec.spec)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusOK)
			}))
			r := request("/shop/cart?a=1", append(spec.fields, "Accept: */*", "User-Agent: bench")...)
			key := r.Header["X-Key"]
			before := *r
			location := *r.URL
			w := &discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				*r.URL = location
				r.RequestURI, r.Host = before.RequestURI, before.Host
				delete(r.Header, "X-Forwarded-Prefix")
				if key != nil {
					r.Header["X-Key"] = key
				}
				h.ServeHTTP(w, r)
			}
		})
	}
}

func mustURL(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
