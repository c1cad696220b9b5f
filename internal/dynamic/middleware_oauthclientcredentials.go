package dynamic

import (
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

type oAuthClientCredentials struct {
	URL          string       `doc:"url"`
	ClientID     string       `doc:"clientID"`
	ClientSecret string       `doc:"clientSecret"`
	Scopes       []string     `doc:"scopes"`
	Audience     string       `doc:"audience"`
	Header       string       `doc:"header"`
	ClientConfig serverClient `doc:"clientConfig"`
}

func (*oAuthClientCredentials) gaps() []gap {
	return append([]gap{
		{"claims", left}, {"forwardHeaders", ignored}, {"store", ignored}, {"usernameClaim", ignored},
	}, serverGaps...)
}

func (o *oAuthClientCredentials) files() []string { return o.ClientConfig.TLS.files() }

func (o *oAuthClientCredentials) build(at place, m *model.Middleware) {
	if o.ClientID == "" || o.ClientSecret == "" {
		at.in("clientID").invalid("give both clientID and clientSecret")
	}
	for i, scope := range o.Scopes {
		if scope == "" || strings.ContainsAny(scope, " \"\\") { // RFC 6749 §3.3
			at.in("scopes", i).invalid("%q is not the name of a scope", scope)
		}
	}
	m.OAuthClientCredentials = &model.OAuthClientCredentials{
		URL:    at.in("url").serverURL(o.URL),
		Client: model.OAuthClient{ID: o.ClientID, Secret: model.NewSecret(o.ClientSecret)},
		Scopes: o.Scopes, Audience: o.Audience, Header: at.in("header").headerName(o.Header),
		Server: at.in("clientConfig").identityServer(o.ClientConfig),
	}
}
