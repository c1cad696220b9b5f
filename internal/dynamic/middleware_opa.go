package dynamic

import "github.com/fairlead/fairlead/internal/model"

type opa struct {
	URL            string       `doc:"url"`
	Token          string       `doc:"token"`
	TokenFile      string       `doc:"tokenFile"`
	Headers        []string     `doc:"headers"`
	ForwardHeaders []string     `doc:"forwardHeaders"`
	ClientConfig   serverClient `doc:"clientConfig"`
}

// gaps are of Traefik Hub, which runs the policy itself: without it, nobody says what is allowed.
func (*opa) gaps() []gap {
	return []gap{{"policy", left}, {"bundlePath", left}, {"allow", left}}
}

func (o *opa) files() []string { return append(o.ClientConfig.TLS.files(), o.TokenFile) }

func (o *opa) build(at place, m *model.Middleware) {
	m.OPA = &model.OPA{
		URL: at.in("url").serverURL(o.URL), Token: at.secret(o.Token, "token", o.TokenFile, "tokenFile"),
		Headers: at.in("headers").headerNames(o.Headers),
		Forward: at.in("forwardHeaders").headerNames(o.ForwardHeaders),
		Server:  at.in("clientConfig").identityServer(o.ClientConfig),
	}
}
