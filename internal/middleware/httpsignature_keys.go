package middleware

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"math/big"

	"github.com/fairlead/fairlead/internal/model"
)

// signatureKey verifies signatures of its own algorithm, and of no other (RFC 9421 §7.3.6).
type signatureKey struct {
	algorithm string
	verify    func(message, signature []byte) bool
}

func newSignatureKeys(specs []model.SignatureKey) (map[string]signatureKey, error) {
	keys := map[string]signatureKey{}
	for i, spec := range specs {
		at := fmt.Sprintf("httpSignature.keys[%d]", i)
		if _, twice := keys[spec.ID]; twice || spec.ID == "" {
			return nil, fieldError(at+".id", "is missing, or another key has it")
		}
		verify, err := newVerifier(at, spec)
		if err != nil {
			return nil, err
		}
		keys[spec.ID] = signatureKey{spec.Algorithm, verify}
	}
	if len(keys) == 0 {
		return nil, fieldError("httpSignature.keys", "is empty and would admit nobody; name a key")
	}
	return keys, nil
}

// newVerifier knows the algorithms of RFC 9421 §3.3.
func newVerifier(at string, spec model.SignatureKey) (func(message, signature []byte) bool, error) {
	if spec.Algorithm == "hmac-sha256" {
		secret := []byte(spec.Secret.Reveal())
		if len(secret) < minHMAC || spec.PublicKey != "" {
			return nil, fieldError(at+".secret", "is shorter than 32 bytes, or there is a publicKey, too")
		}
		return func(message, signature []byte) bool {
			h := hmac.New(sha256.New, secret)
			_, _ = h.Write(message)
			return hmac.Equal(h.Sum(nil), signature)
		}, nil
	}
	keys, err := parsePEM([]byte(spec.PublicKey))
	if err != nil || len(keys) != 1 || spec.Secret != (model.Secret{}) {
		return nil, fieldError(at+".publicKey", "is not one public key in PEM, or is weak, or there is a secret, too")
	}
	if verify := verifierOf(spec.Algorithm, keys[0].key); verify != nil {
		return verify, nil
	}
	return nil, fieldError(at+".algorithm", "%q is none that the key is for: hmac-sha256, rsa-pss-sha512, "+
		"rsa-v1_5-sha256, ecdsa-p256-sha256, ecdsa-p384-sha384 or ed25519", spec.Algorithm)
}

func verifierOf(algorithm string, public any) func(message, signature []byte) bool {
	switch key := public.(type) {
	case *rsa.PublicKey:
		switch algorithm {
		case "rsa-pss-sha512":
			return func(message, signature []byte) bool {
				sum := sha512.Sum512(message)
				return rsa.VerifyPSS(key, crypto.SHA512, sum[:], signature, &rsa.PSSOptions{SaltLength: 64}) == nil
			}
		case "rsa-v1_5-sha256":
			return func(message, signature []byte) bool {
				sum := sha256.Sum256(message)
				return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
			}
		}
	case *ecdsa.PublicKey:
		switch {
		case algorithm == "ecdsa-p256-sha256" && key.Curve == elliptic.P256():
			return func(message, signature []byte) bool {
				sum := sha256.Sum256(message)
				return verifyECDSA(key, sum[:], signature)
			}
		case algorithm == "ecdsa-p384-sha384" && key.Curve == elliptic.P384():
			return func(message, signature []byte) bool {
				sum := sha512.Sum384(message)
				return verifyECDSA(key, sum[:], signature)
			}
		}
	case ed25519.PublicKey:
		if algorithm == "ed25519" {
			return func(message, signature []byte) bool { return ed25519.Verify(key, message, signature) }
		}
	}
	return nil
}

// verifyECDSA takes a signature that is two numbers of the curve's size, one behind the other (RFC 9421 §3.3.4).
func verifyECDSA(key *ecdsa.PublicKey, sum, signature []byte) bool {
	half := key.Curve.Params().BitSize / 8
	if len(signature) != 2*half {
		return false
	}
	r, s := new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])
	return ecdsa.Verify(key, sum, r, s)
}
