package middleware

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/fairlead/fairlead/internal/model"
)

// jwtAlgorithms are all that verify something.
var jwtAlgorithms = []jose.SignatureAlgorithm{
	jose.HS256, jose.HS384, jose.HS512, jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// jwt verifies tokens as RFC 8725 wants it: the key decides about the algorithm, and what a token says about where its
// key could be had (jwk, jku, x5c, x5u) is not looked at.
type jwt struct {
	issuers    []issuer
	algorithms []jose.SignatureAlgorithm
	terms      tokenTerms
}

type issuer struct {
	name string // "": any
	keys *keySet
}

// newJWT admits requests with a token that a trusted issuer has signed.
func newJWT(s *Set, at place, spec *model.JWT) (Func, error) {
	source, err := newCredentialSource("jwt.tokenSource", spec.Token)
	if err != nil {
		return nil, err
	}
	use, err := newClaimUse("jwt", spec.ClaimUse)
	if err != nil {
		return nil, err
	}
	j := &jwt{algorithms: jwtAlgorithms, terms: newTokenTerms(spec.Audience, spec.Leeway, spec.AllowNoExpiry)}
	if len(spec.Algorithms) > 0 {
		j.algorithms = nil
	}
	for i, name := range spec.Algorithms {
		alg := jose.SignatureAlgorithm(name)
		if !slices.Contains(jwtAlgorithms, alg) {
			return nil, fieldError(fmt.Sprintf("jwt.algorithms[%d]", i), "%q verifies nothing that is known here", name)
		}
		j.algorithms = append(j.algorithms, alg)
	}
	if j.issuers, err = s.issuers(at, spec); err != nil {
		return nil, err
	}
	g := &tokenGuard{source: source, use: use, strip: spec.Strip, check: j.verify}
	g.deny = func(w http.ResponseWriter, status int) { refuse(w, status, "refused_by_jwt") }
	return g.wrap, nil
}

// issuers makes the keys of those that are trusted. Sets that are fetched outlive the handler.
func (s *Set) issuers(at place, spec *model.JWT) (list []issuer, err error) {
	if len(spec.Trusted) == 0 {
		return nil, fieldError("jwt", "trusts nobody; give signingSecret, publicKey, jwksFile, jwksUrl or trustedIssuers")
	}
	remote, err := s.remoteKeys(at, spec)
	if err != nil {
		return nil, err
	}
	for _, t := range spec.Trusted {
		keys := new(keySet)
		switch {
		case t.URL != "":
			keys = remote.sets[t.URL]
		case t.Secret != (model.Secret{}):
			secret := []byte(t.Secret.Reveal())
			if len(secret) < minHMAC {
				return nil, fieldError("jwt.signingSecret", "is shorter than %d bytes", minHMAC)
			}
			keys.given = []verifyKey{{key: secret, algs: algorithmsOf(secret)}}
		default:
			if keys.given, err = parseKeys(t.Keys.Reveal()); err != nil {
				return nil, fieldError("jwt.publicKey", "%s", err)
			}
		}
		list = append(list, issuer{t.Issuer, keys})
	}
	return list, nil
}

// remoteKeys are sets that are fetched, by their addresses.
type remoteKeys struct {
	client *identityClient
	sets   map[string]*keySet
}

func (k *remoteKeys) close() { k.client.close() }

func (s *Set) remoteKeys(at place, spec *model.JWT) (*remoteKeys, error) {
	like := "jwt " + serverKeyOf(spec.Server)
	for _, t := range spec.Trusted {
		like += " " + t.URL
	}
	client, err := newIdentityClient("jwt.clientConfig.tls", spec.Server, s.log)
	if err != nil {
		return nil, err
	}
	return stateOf(s, place{middleware: at.middleware}, like, func() *remoteKeys {
		k := &remoteKeys{client, map[string]*keySet{}}
		for _, t := range spec.Trusted {
			if t.URL != "" {
				k.sets[t.URL] = client.keySet(t.URL)
			}
		}
		return k
	}), nil
}

// verify returns errUnreachable where it is not known whether the token is good, and errBadToken where it is not.
func (j *jwt) verify(ctx context.Context, token string) (claims, error) {
	if !isCompact(token) {
		return nil, errBadToken
	}
	signed, err := jose.ParseSignedCompact(token, j.algorithms)
	if err != nil {
		return nil, errBadToken
	}
	head := signed.Signatures[0].Protected
	for _, name := range []jose.HeaderKey{"crit", "b64"} { // no extension is understood (RFC 7515 §4.1.11, RFC 7797 §7)
		if _, ok := head.ExtraHeaders[name]; ok {
			return nil, errBadToken
		}
	}
	c, err := parseClaims(signed.UnsafePayloadWithoutVerification())
	if err != nil {
		return nil, errBadToken
	}
	if err := j.verifySignature(ctx, signed, c.text("iss")); err != nil {
		return nil, err
	}
	if err := j.terms.check(c); err != nil {
		return nil, err
	}
	return c, nil
}

// isCompact reports whether the text has three parts of base64url (RFC 7515 §7.1). So neither an encrypted token (five
// parts), which may be a bomb when it is unpacked, nor the JSON form, which may have several signatures, goes further.
func isCompact(token string) bool {
	return strings.Count(token, ".") == 2 && !strings.ContainsFunc(token, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

// verifySignature tries the keys of those who may say what the token says of its issuer.
func (j *jwt) verifySignature(ctx context.Context, signed *jose.JSONWebSignature, name string) error {
	head := signed.Signatures[0].Protected
	failed := errBadToken
	for _, i := range j.issuers {
		if i.name != "" && i.name != name {
			continue
		}
		keys, err := i.keys.find(ctx, head.KeyID, jose.SignatureAlgorithm(head.Algorithm))
		if err != nil {
			failed = err
		}
		for _, k := range keys {
			if _, err := signed.Verify(k.key); err == nil {
				return nil
			}
		}
	}
	return failed
}
