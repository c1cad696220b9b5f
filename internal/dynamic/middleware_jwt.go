package dynamic

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

type jwt struct {
	SigningSecret              string            `doc:"signingSecret"`
	SigningSecretBase64Encoded bool              `doc:"signingSecretBase64Encoded"`
	PublicKey                  string            `doc:"publicKey"`
	JWKSFile                   string            `doc:"jwksFile"`
	JWKSURL                    string            `doc:"jwksUrl"`
	Issuer                     string            `doc:"issuer"`
	TrustedIssuers             []trustedIssuer   `doc:"trustedIssuers"`
	Audience                   []string          `doc:"audience"`
	Algorithms                 []string          `doc:"algorithms"`
	Leeway                     *time.Duration    `doc:"leeway"`
	AllowNoExpiry              bool              `doc:"allowNoExpiry"`
	TokenSource                tokenSource       `doc:"tokenSource"`
	TokenQueryKey              string            `doc:"tokenQueryKey"`
	Claims                     string            `doc:"claims"`
	ForwardHeaders             map[string]string `doc:"forwardHeaders"`
	StripAuthorizationHeader   bool              `doc:"stripAuthorizationHeader"`
	ClientConfig               serverClient      `doc:"clientConfig"`
}

type trustedIssuer struct {
	Issuer  string `doc:"issuer"`
	JWKSURL string `doc:"jwksUrl"`
}

// jwtAlgorithms are those of RFC 7518 §3.1 and RFC 8037 that verify something; "none" is not among them.
var jwtAlgorithms = []string{
	"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

func (*jwt) gaps() []gap { return append([]gap{{"usernameClaim", ignored}}, serverGaps...) }

func (j *jwt) files() []string {
	names := j.ClientConfig.TLS.files()
	if !isPEM(j.PublicKey) {
		names = append(names, j.PublicKey)
	}
	if !isJSON(j.JWKSFile) {
		names = append(names, j.JWKSFile)
	}
	return names
}

func (j *jwt) build(at place, m *model.Middleware) {
	spec := &model.JWT{
		Leeway: at.in("leeway").leeway(j.Leeway),
		Token:  at.in("tokenSource").tokenSource(j.TokenSource), Trusted: j.trusted(at), Audience: j.Audience,
		Algorithms: j.Algorithms, AllowNoExpiry: j.AllowNoExpiry, Strip: j.StripAuthorizationHeader,
		ClaimUse: model.ClaimUse{
			Claims: at.in("claims").claims(j.Claims), Forward: at.in("forwardHeaders").claimFields(j.ForwardHeaders),
		},
		Server: at.in("clientConfig").identityServer(j.ClientConfig),
	}
	if j.TokenQueryKey != "" {
		if j.TokenSource.Query != "" {
			at.in("tokenQueryKey").invalid("the same is tokenSource.query; give one of them")
		}
		spec.Token.Query = j.TokenQueryKey
	}
	for i, name := range j.Algorithms {
		if !slices.Contains(jwtAlgorithms, name) {
			at.in("algorithms", i).invalid("there is %s", strings.Join(jwtAlgorithms, ", "))
		}
	}
	m.JWT = spec
}

// trusted are the issuers: the keys that stand beside issuer are of one, and trustedIssuers has more.
func (j *jwt) trusted(at place) (list []model.TokenIssuer) {
	one := model.TokenIssuer{Issuer: j.Issuer, URL: j.JWKSURL, Secret: j.secret(at)}
	given := 0
	for _, text := range []string{j.SigningSecret, j.PublicKey, j.JWKSFile, j.JWKSURL} {
		if text != "" {
			given++
		}
	}
	switch {
	case j.PublicKey != "":
		one.Keys = model.NewSecret(at.in("publicKey").pem(j.PublicKey))
	case isJSON(j.JWKSFile):
		one.Keys = model.NewSecret(j.JWKSFile)
	case j.JWKSFile != "":
		one.Keys = model.NewSecret(at.in("jwksFile").text(j.JWKSFile))
	case j.JWKSURL != "":
		at.in("jwksUrl").serverURL(j.JWKSURL)
	}
	switch {
	case given > 1:
		at.in("signingSecret").invalid("give one of signingSecret, publicKey, jwksFile and jwksUrl")
	case given == 1:
		list = append(list, one)
	case len(j.TrustedIssuers) == 0:
		at.in("signingSecret").invalid("say who may sign: signingSecret, publicKey, jwksFile, jwksUrl or trustedIssuers")
	case j.Issuer != "":
		at.in("issuer").invalid("has no keys; give them, or name it in trustedIssuers")
	}
	for i, t := range j.TrustedIssuers {
		if t.Issuer == "" {
			at.in("trustedIssuers", i, "issuer").invalid("say whose keys these are")
		}
		list = append(list, model.TokenIssuer{
			Issuer: t.Issuer, URL: at.in("trustedIssuers", i, "jwksUrl").serverURL(t.JWKSURL),
		})
	}
	return list
}

func (j *jwt) secret(at place) model.Secret {
	const least = 32
	secret := j.SigningSecret
	if j.SigningSecretBase64Encoded {
		raw, err := base64.StdEncoding.DecodeString(secret)
		if err != nil {
			at.in("signingSecret").invalid("is not in base64")
		}
		secret = string(raw)
	}
	if secret != "" && len(secret) < least {
		at.in("signingSecret").invalid("is shorter than %d bytes, and can be guessed from one token (RFC 7518 §3.2)", least)
	}
	return model.NewSecret(secret)
}

func isJSON(s string) bool { return strings.HasPrefix(strings.TrimSpace(s), "{") }
