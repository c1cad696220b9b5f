package middleware

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const (
	maxKeys    = 100 // of one issuer
	minRSABits = 2048
	minHMAC    = 32 // bytes of the secret (RFC 7518 §3.2)
)

// verifyKey verifies signatures. What it is good for is decided by its kind, never by the token: the text of a public
// key is no secret of HMAC (RFC 8725 §2.1).
type verifyKey struct {
	id   string // "": it has none
	key  any
	algs []jose.SignatureAlgorithm
}

// verifies reports whether the key may be the one that a token names.
func (k *verifyKey) verifies(id string, alg jose.SignatureAlgorithm) bool {
	if id != "" && k.id != "" && id != k.id {
		return false
	}
	return slices.Contains(k.algs, alg)
}

// algorithmsOf are those that a key is good for; nil: it is weak, or of an unknown kind.
func algorithmsOf(key any) []jose.SignatureAlgorithm {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() >= minRSABits {
			return []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}
		}
	case *ecdsa.PublicKey:
		switch key.Curve.Params().BitSize {
		case 256:
			return []jose.SignatureAlgorithm{jose.ES256}
		case 384:
			return []jose.SignatureAlgorithm{jose.ES384}
		case 521:
			return []jose.SignatureAlgorithm{jose.ES512}
		}
	case ed25519.PublicKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}
	case []byte:
		if len(key) >= minHMAC {
			return []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512}
		}
	}
	return nil
}

var errNoKey = errors.New("has no key that verifies signatures: RSA of 2048 bits or more, ECDSA on P-256, P-384 " +
	"or P-521, Ed25519, or a secret of 32 bytes or more")

// parseKeys reads PEM, or a JSON Web Key Set.
func parseKeys(text string) (keys []verifyKey, err error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		keys, err = parseJWKS([]byte(text), true)
	} else {
		keys, err = parsePEM([]byte(text))
	}
	if err == nil && len(keys) == 0 {
		err = errNoKey
	}
	return keys, err
}

func parsePEM(data []byte) (keys []verifyKey, err error) {
	for len(keys) < maxKeys {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return keys, nil
		}
		var key any
		switch block.Type {
		case "CERTIFICATE":
			var c *x509.Certificate
			if c, err = x509.ParseCertificate(block.Bytes); err == nil {
				key = c.PublicKey
			}
		case "RSA PUBLIC KEY":
			key, err = x509.ParsePKCS1PublicKey(block.Bytes)
		case "PUBLIC KEY":
			key, err = x509.ParsePKIXPublicKey(block.Bytes)
		default:
			return nil, errors.New("has something in PEM that is no public key and no certificate")
		}
		if err != nil {
			return nil, errors.New("has a key in PEM that cannot be read")
		}
		if algs := algorithmsOf(key); algs != nil {
			keys = append(keys, verifyKey{key: key, algs: algs})
		}
	}
	return keys, nil
}

// parseJWKS reads a set (RFC 7517 §5). Keys of unknown kinds, for other uses, or too weak are passed over. Secrets of
// HMAC are taken from who wrote the configuration only: one that can be fetched is none.
func parseJWKS(data []byte, secrets bool) (keys []verifyKey, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, errors.New("is no JSON Web Key Set")
	}
	if len(set.Keys) > maxKeys {
		return nil, errors.New("has more than 100 keys")
	}
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) != nil || k.Use != "" && k.Use != "sig" {
			continue
		}
		if _, secret := k.Key.([]byte); secret && !secrets {
			continue
		}
		v := verifyKey{id: k.KeyID, key: k.Key, algs: algorithmsOf(k.Key)}
		if k.Algorithm != "" { // it is for this one only
			alg := jose.SignatureAlgorithm(k.Algorithm)
			if !v.verifies("", alg) {
				continue
			}
			v.algs = []jose.SignatureAlgorithm{alg}
		}
		if v.algs != nil {
			keys = append(keys, v)
		}
	}
	return keys, nil
}
