package dynamic

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

type headers struct {
	Request  map[string]string `doc:"customRequestHeaders"`
	Response map[string]string `doc:"customResponseHeaders"`
	cors
	security
	hosts
	IsDevelopment bool `doc:"isDevelopment"` // hosts, redirects and what tells browsers to use TLS are left out
}

// cors are the keys about pages of other origins.
type cors struct {
	Credentials   bool     `doc:"accessControlAllowCredentials"`
	Headers       []string `doc:"accessControlAllowHeaders"`
	Methods       []string `doc:"accessControlAllowMethods"`
	Origins       []string `doc:"accessControlAllowOriginList"`
	OriginRegexes []string `doc:"accessControlAllowOriginListRegex"`
	ExposeHeaders []string `doc:"accessControlExposeHeaders"`
	MaxAge        int64    `doc:"accessControlMaxAge"`
	AddVary       bool     `doc:"addVaryHeader"`
}

// security are the keys that stand for fields of answers.
type security struct {
	STSSeconds            int64  `doc:"stsSeconds"`
	STSIncludeSubdomains  bool   `doc:"stsIncludeSubdomains"`
	STSPreload            bool   `doc:"stsPreload"`
	ForceSTS              bool   `doc:"forceSTSHeader"`
	FrameDeny             bool   `doc:"frameDeny"`
	FrameOptions          string `doc:"customFrameOptionsValue"`
	NoSniff               bool   `doc:"contentTypeNosniff"`
	XSSFilter             bool   `doc:"browserXssFilter"`
	XSSValue              string `doc:"customBrowserXSSValue"`
	ContentSecurityPolicy string `doc:"contentSecurityPolicy"`
	CSPReportOnly         string `doc:"contentSecurityPolicyReportOnly"`
	PublicKey             string `doc:"publicKey"`
	ReferrerPolicy        string `doc:"referrerPolicy"`
	PermissionsPolicy     string `doc:"permissionsPolicy"`
	FeaturePolicy         string `doc:"featurePolicy"` // the old name of permissionsPolicy
}

// hosts are the keys that decide which requests are served.
type hosts struct {
	Allowed         []string          `doc:"allowedHosts"`
	ProxyHeaders    []string          `doc:"hostsProxyHeaders"`
	SSLProxyHeaders map[string]string `doc:"sslProxyHeaders"`
	// The old way to send clients to https.
	SSLRedirect  bool   `doc:"sslRedirect"`
	SSLTemporary bool   `doc:"sslTemporaryRedirect"`
	SSLHost      string `doc:"sslHost"`
	SSLForceHost bool   `doc:"sslForceHost"`
}

func (*headers) gaps() []gap { return nil }

func (h *headers) build(at place, m *model.Middleware) {
	m.Headers = &model.Headers{
		Request:      at.in("customRequestHeaders").headerMap(h.Request),
		Response:     at.in("customResponseHeaders").headerMap(h.Response),
		SecureFields: at.in("sslProxyHeaders").headerMap(h.SSLProxyHeaders),
		CORS:         h.cors.build(at),
	}
	h.security.build(at, h.IsDevelopment, m.Headers)
	if !h.IsDevelopment {
		h.hosts.build(at, m.Headers)
	}
}

// build returns nil where no key is given: then preflight requests go to the service.
func (c *cors) build(at place) *model.CORS {
	if !c.Credentials && !c.AddVary && c.MaxAge == 0 &&
		len(c.Headers)+len(c.Methods)+len(c.Origins)+len(c.OriginRegexes)+len(c.ExposeHeaders) == 0 {
		return nil
	}
	m := &model.CORS{
		Origins:       at.in("accessControlAllowOriginList").fieldValues(c.Origins),
		Methods:       at.in("accessControlAllowMethods").fieldValues(c.Methods),
		Headers:       at.in("accessControlAllowHeaders").fieldValues(c.Headers),
		ExposeHeaders: at.in("accessControlExposeHeaders").fieldValues(c.ExposeHeaders),
		Credentials:   c.Credentials, MaxAge: c.MaxAge, Vary: c.AddVary,
	}
	for i, text := range c.OriginRegexes {
		m.OriginRegexes = append(m.OriginRegexes, at.in("accessControlAllowOriginListRegex", i).regex(text))
	}
	if c.MaxAge < 0 {
		at.in("accessControlMaxAge").invalid("%d is negative", c.MaxAge)
	}
	return m
}

// build turns the keys into the fields that they stand for. What customResponseHeaders says of a field goes before.
func (s *security) build(at place, development bool, m *model.Headers) {
	set := func(fields *map[string]string, key, name, value string) {
		if _, given := m.Response[name]; given || value == "" {
			return
		}
		if *fields == nil {
			*fields = map[string]string{}
		}
		(*fields)[name] = at.in(key).fieldValue(value)
	}
	for _, f := range []struct{ key, name, value string }{
		{"customFrameOptionsValue", "X-Frame-Options", cmp.Or(s.FrameOptions, when(s.FrameDeny, "DENY"))},
		{"contentTypeNosniff", "X-Content-Type-Options", when(s.NoSniff, "nosniff")},
		{"customBrowserXSSValue", "X-Xss-Protection", cmp.Or(s.XSSValue, when(s.XSSFilter, "1; mode=block"))},
		{"contentSecurityPolicy", "Content-Security-Policy", s.ContentSecurityPolicy},
		{"contentSecurityPolicyReportOnly", "Content-Security-Policy-Report-Only", s.CSPReportOnly},
		{"referrerPolicy", "Referrer-Policy", s.ReferrerPolicy},
		{"permissionsPolicy", "Permissions-Policy", s.PermissionsPolicy},
		{"featurePolicy", "Feature-Policy", s.FeaturePolicy},
	} {
		set(&m.Response, f.key, f.name, f.value)
	}
	if s.FeaturePolicy != "" {
		at.in("featurePolicy").deprecated("use permissionsPolicy")
	}
	if s.STSSeconds < 0 {
		at.in("stsSeconds").invalid("%d is negative", s.STSSeconds)
	}
	if development {
		return
	}
	fields := &m.SecureResponse
	if s.ForceSTS {
		fields = &m.Response
	}
	set(fields, "stsSeconds", "Strict-Transport-Security", s.transportSecurity())
	set(&m.SecureResponse, "publicKey", "Public-Key-Pins", s.PublicKey)
}

// transportSecurity is the value of RFC 6797 §6.1.
func (s *security) transportSecurity() string {
	if s.STSSeconds == 0 {
		return ""
	}
	return "max-age=" + strconv.FormatInt(s.STSSeconds, 10) +
		when(s.STSIncludeSubdomains, "; includeSubDomains") + when(s.STSPreload, "; preload")
}

func when(is bool, text string) string {
	if is {
		return text
	}
	return ""
}

func (h *hosts) build(at place, m *model.Headers) {
	for i, text := range h.Allowed {
		name, err := allowedHost(text)
		if err != nil {
			at.in("allowedHosts", i).invalid("%s", err)
		}
		m.AllowedHosts = append(m.AllowedHosts, name)
	}
	for i, name := range h.ProxyHeaders {
		m.HostFields = append(m.HostFields, at.in("hostsProxyHeaders", i).headerName(name))
	}
	if !h.SSLRedirect && !h.SSLForceHost {
		if h.SSLHost != "" || h.SSLTemporary {
			at.in("sslRedirect").invalid("sslHost and sslTemporaryRedirect say how to redirect; say sslRedirect: true")
		}
		return
	}
	for key, given := range map[string]bool{"sslRedirect": h.SSLRedirect, "sslForceHost": h.SSLForceHost} {
		if given {
			at.in(key).deprecated("use the middleware redirectScheme")
		}
	}
	m.HTTPS = &model.HTTPSRedirect{Temporary: h.SSLTemporary, Host: h.SSLHost, ForceHost: h.SSLForceHost}
	if h.SSLForceHost && h.SSLHost == "" {
		at.in("sslHost").invalid("say to which host")
	}
	if _, err := allowedHost(h.SSLHost); h.SSLHost != "" && err != nil {
		at.in("sslHost").invalid("%s", err)
	}
}

var withPort = regexp.MustCompile(`:[0-9]+$`)

// allowedHost accepts a host with or without a port.
func allowedHost(s string) (string, error) {
	port := withPort.FindString(s)
	name, err := host(strings.TrimSuffix(s, port))
	if err == nil && strings.Contains(name, "*") {
		err = fmt.Errorf("%q: a wildcard is not possible here", s)
	}
	return name + port, err
}
