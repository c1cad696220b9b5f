package dynamic

import "github.com/fairlead/fairlead/internal/model"

type headers struct {
	Request  map[string]string `doc:"customRequestHeaders"`
	Response map[string]string `doc:"customResponseHeaders"`
}

func (*headers) gaps() []gap {
	return []gap{
		// These decide which requests are served at all.
		{"allowedHosts", left}, {"hostsProxyHeaders", left}, {"sslProxyHeaders", left}, {"sslRedirect", left},
		{"sslTemporaryRedirect", left}, {"sslHost", left}, {"sslForceHost", left},
		// Without these, browsers refuse more than with them.
		{"accessControlAllowCredentials", ignored}, {"accessControlAllowHeaders", ignored},
		{"accessControlAllowMethods", ignored}, {"accessControlAllowOriginList", ignored},
		{"accessControlAllowOriginListRegex", ignored}, {"accessControlExposeHeaders", ignored},
		{"accessControlMaxAge", ignored}, {"addVaryHeader", ignored},
		// These are advice to browsers; customResponseHeaders can give the same.
		{"stsSeconds", ignored}, {"stsIncludeSubdomains", ignored}, {"stsPreload", ignored}, {"forceSTSHeader", ignored},
		{"frameDeny", ignored}, {"customFrameOptionsValue", ignored}, {"contentTypeNosniff", ignored},
		{"browserXssFilter", ignored}, {"customBrowserXSSValue", ignored}, {"contentSecurityPolicy", ignored},
		{"contentSecurityPolicyReportOnly", ignored}, {"publicKey", ignored}, {"referrerPolicy", ignored},
		{"permissionsPolicy", ignored}, {"featurePolicy", ignored}, {"isDevelopment", ignored},
	}
}

func (h *headers) build(at place, m *model.Middleware) {
	m.Headers = &model.Headers{
		Request:  at.in("customRequestHeaders").headerMap(h.Request),
		Response: at.in("customResponseHeaders").headerMap(h.Response),
	}
}
