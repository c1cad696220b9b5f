package middleware

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	// tokenFloor is the least time between two fetches of a token.
	tokenFloor = time.Second
	// usualTokenLife is for servers that do not say how long a token is good.
	usualTokenLife = time.Minute
	// maxTokenAnswer is the length of the longest answer with tokens in it, in bytes.
	maxTokenAnswer = 64 << 10
)

// serviceToken is what services admit this instance with. It outlives the handler.
type serviceToken struct {
	client *identityClient
	fetched[string]
}

func (t *serviceToken) close() { t.client.close() }

// newOAuthClientCredentials sends requests on with a token of this instance's own (RFC 6749 §4.4).
func newOAuthClientCredentials(s *Set, at place, spec *model.OAuthClientCredentials) (Func, error) {
	const kind = "oAuthClientCredentials"
	header, err := identityName(kind+".header", cmp.Or(spec.Header, "Authorization"))
	if err != nil {
		return nil, err
	}
	switch {
	case !isServerAddress(spec.URL):
		return nil, fieldError(kind+".url", "is no address; write it like https://a.example/token")
	case spec.Client.ID == "":
		return nil, fieldError(kind+".clientID", "is missing")
	}
	client, err := newIdentityClient(kind+".clientConfig.tls", spec.Server, s.log)
	if err != nil {
		return nil, err
	}
	like := likeOf(kind, spec.URL, spec.Client.ID, spec.Client.Secret.Reveal(), strings.Join(spec.Scopes, " "),
		spec.Audience, serverKeyOf(spec.Server))
	token := stateOf(s, place{middleware: at.middleware}, like, func() *serviceToken {
		return &serviceToken{client, fetched[string]{floor: tokenFloor, fetch: client.credentialsToken(spec)}}
	})
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			value, err := token.get(r.Context(), func(string) bool { return true })
			if err != nil {
				refuse(w, http.StatusBadGateway, "auth_unreachable")
				return
			}
			removeIdentity(r.Header, header) // the client's own
			r.Header[header] = []string{"Bearer " + value}
			tw := &refusalWriter{headWriter{ResponseWriter: w}, token, value}
			tw.editor = tw
			next.ServeHTTP(tw, r)
			tw.finish()
		})
	}, nil
}

// refusalWriter notices that the service does not take the token any more.
type refusalWriter struct {
	headWriter
	token *serviceToken
	value string
}

func (w *refusalWriter) editHead(_ http.Header, status int) {
	if status == http.StatusUnauthorized {
		w.token.forget(func(value string) bool { return value == w.value })
	}
}

// credentialsToken returns what fetches a token.
func (c *identityClient) credentialsToken(spec *model.OAuthClientCredentials) func() (string, lifetime, error) {
	return func() (string, lifetime, error) {
		form := url.Values{"grant_type": {"client_credentials"}}
		if len(spec.Scopes) > 0 {
			form.Set("scope", strings.Join(spec.Scopes, " "))
		}
		if spec.Audience != "" {
			form.Set("audience", spec.Audience)
		}
		_, body, err := c.post(context.Background(), spec.URL, form, spec.Client, nil, maxTokenAnswer)
		if err != nil {
			return "", lifetime{}, err
		}
		var answer struct {
			Token   string  `json:"access_token"`
			Type    string  `json:"token_type"`
			Seconds float64 `json:"expires_in"`
		}
		err = json.Unmarshal(body, &answer)
		if err != nil || !isToken68(answer.Token) || !strings.EqualFold(answer.Type, "Bearer") {
			c.log.Warn("a server gives no token that can be used", "server", spec.URL, "type", answer.Type)
			return "", lifetime{}, errUnreachable
		}
		life := time.Duration(min(max(answer.Seconds, 0), 1e9) * float64(time.Second))
		return answer.Token, tokenLife(life), nil
	}
}

// tokenLife has a token fetched again when three quarters of its time are over, and used until shortly before its end:
// the request has a way to go.
func tokenLife(life time.Duration) lifetime {
	life = cmp.Or(life, usualTokenLife)
	return lifetime{fresh: life / 4 * 3, kept: life - min(life/10, 10*time.Second)}
}

// isToken68 reports whether a text can stand behind Bearer (RFC 6750 §2.1).
func isToken68(text string) bool {
	return text != "" && len(text) <= maxToken && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~+/=", r)
	})
}
