package dynamic

import (
	"encoding/base64"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

type httpSignature struct {
	Keys               []signatureKey `doc:"keys"`
	RequiredComponents []string       `doc:"requiredComponents"`
	RequireDigest      *bool          `doc:"requireDigest"`
	MaxBodySize        int64          `doc:"maxBodySize"`
	MaxAge             time.Duration  `doc:"maxAge"`
	Leeway             *time.Duration `doc:"leeway"`
	RequireNonce       bool           `doc:"requireNonce"`
	Tag                string         `doc:"tag"`
	IdentityHeader     string         `doc:"identityHeader"`
}

type signatureKey struct {
	ID                  string `doc:"id"`
	Algorithm           string `doc:"algorithm"`
	Secret              string `doc:"secret"`
	SecretFile          string `doc:"secretFile"`
	SecretBase64Encoded bool   `doc:"secretBase64Encoded"`
	PublicKey           string `doc:"publicKey"`
}

func (*httpSignature) gaps() []gap { return nil }

func (h *httpSignature) files() (names []string) {
	for _, k := range h.Keys {
		names = append(names, k.SecretFile)
		if !isPEM(k.PublicKey) {
			names = append(names, k.PublicKey)
		}
	}
	return names
}

func (h *httpSignature) build(at place, m *model.Middleware) {
	const mostBody, mostAge = 64 << 20, time.Hour
	s := &model.HTTPSignature{
		Covered: h.RequiredComponents, AnyBody: h.RequireDigest != nil && !*h.RequireDigest,
		MaxBody: h.MaxBodySize, MaxAge: h.MaxAge, Leeway: at.in("leeway").leeway(h.Leeway), NeedNonce: h.RequireNonce,
		Tag: at.in("tag").fieldValue(h.Tag), IdentityHeader: at.in("identityHeader").headerName(h.IdentityHeader),
	}
	for i, k := range h.Keys {
		s.Keys = append(s.Keys, at.in("keys", i).signatureKey(k))
	}
	if len(h.Keys) == 0 {
		at.in("keys").invalid("nobody could be admitted; give the key of someone who signs")
	}
	if h.RequiredComponents == nil {
		s.Covered = []string{"@method", "@authority", "@path", "@query"}
	}
	if h.MaxBodySize < 0 || h.MaxBodySize > mostBody {
		at.in("maxBodySize").invalid("%d is out of range; it is from 1 to %d, or 0, which is 1 MiB", h.MaxBodySize, mostBody)
	}
	if h.MaxAge < 0 || h.MaxAge > mostAge {
		at.in("maxAge").invalid("%s is out of range; it is from 1s to %s, or 0s, which is 5m", h.MaxAge, mostAge)
	}
	m.HTTPSignature = s
}

func (p place) signatureKey(k signatureKey) model.SignatureKey {
	const least = 32
	key := model.SignatureKey{
		ID: k.ID, Algorithm: k.Algorithm, PublicKey: p.in("publicKey").pem(k.PublicKey),
		Secret: p.secret(k.Secret, "secret", k.SecretFile, "secretFile"),
	}
	if k.SecretBase64Encoded {
		raw, err := base64.StdEncoding.DecodeString(key.Secret.Reveal())
		if err != nil {
			p.in("secret").invalid("is not in base64")
		}
		key.Secret = model.NewSecret(string(raw))
	}
	hasSecret := k.Secret != "" || k.SecretFile != ""
	if k.Algorithm == "" && hasSecret {
		key.Algorithm = "hmac-sha256"
	}
	switch {
	case k.ID == "":
		p.in("id").invalid("say by which keyid signatures name the key")
	case hasSecret != (key.Algorithm == "hmac-sha256") || hasSecret == (k.PublicKey != ""):
		p.in("algorithm").invalid("give secret or secretFile with hmac-sha256, and publicKey with rsa-pss-sha512, " +
			"rsa-v1_5-sha256, ecdsa-p256-sha256, ecdsa-p384-sha384 or ed25519")
	case hasSecret && len(key.Secret.Reveal()) < least && !p.in("secretFile").isBlamed():
		p.in("secret").invalid("is shorter than %d bytes, and can be guessed from one signature", least)
	}
	return key
}
