package dynamic

import (
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

type oAuthIntrospection struct {
	ClientConfig             introspectionClient `doc:"clientConfig"`
	ClientID                 string              `doc:"clientID"`
	ClientSecret             string              `doc:"clientSecret"`
	TokenTypeHint            string              `doc:"tokenTypeHint"`
	TokenSource              tokenSource         `doc:"tokenSource"`
	Issuer                   string              `doc:"issuer"`
	Audience                 []string            `doc:"audience"`
	CacheFor                 *time.Duration      `doc:"cacheFor"`
	Claims                   string              `doc:"claims"`
	ForwardHeaders           map[string]string   `doc:"forwardHeaders"`
	StripAuthorizationHeader bool                `doc:"stripAuthorizationHeader"`
}

type introspectionClient struct {
	URL     string            `doc:"url"`
	Headers map[string]string `doc:"headers"`
	serverClient
}

func (*oAuthIntrospection) gaps() []gap {
	return append([]gap{{"usernameClaim", ignored}}, serverGaps...)
}

func (o *oAuthIntrospection) files() []string { return o.ClientConfig.TLS.files() }

func (o *oAuthIntrospection) build(at place, m *model.Middleware) {
	i := &model.OAuthIntrospection{
		Token:   at.in("tokenSource").tokenSource(o.TokenSource),
		URL:     at.in("clientConfig", "url").serverURL(o.ClientConfig.URL),
		Client:  model.OAuthClient{ID: o.ClientID, Secret: model.NewSecret(o.ClientSecret)},
		Headers: at.in("clientConfig", "headers").secretFields(o.ClientConfig.Headers),
		Hint:    o.TokenTypeHint, Issuer: o.Issuer, Audience: o.Audience, Strip: o.StripAuthorizationHeader,
		ClaimUse: model.ClaimUse{
			Claims: at.in("claims").claims(o.Claims), Forward: at.in("forwardHeaders").claimFields(o.ForwardHeaders),
		},
		Keep:   at.in("cacheFor").cacheFor(o.CacheFor),
		Server: at.in("clientConfig").identityServer(o.ClientConfig.serverClient),
	}
	if (o.ClientID == "") != (o.ClientSecret == "") {
		at.in("clientID").invalid("give both clientID and clientSecret, or none")
	}
	m.OAuthIntrospection = i
}

// secretFields are fields that may hold credentials, by their canonical names.
func (p place) secretFields(fields map[string]string) map[string]model.Secret {
	if len(fields) == 0 {
		return nil
	}
	secret := map[string]model.Secret{}
	for _, name := range sortedKeys(fields) {
		if strings.Contains(fields[name], "{{") {
			p.in(name).invalid("templates are not supported; write the value itself")
		}
		secret[p.in(name).headerName(name)] = model.NewSecret(p.in(name).fieldValue(fields[name]))
	}
	return secret
}
