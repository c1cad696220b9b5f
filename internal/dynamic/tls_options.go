package dynamic

import (
	"crypto/tls"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// tlsOptions is one entry of tls.options.
type tlsOptions struct {
	MinVersion    string     `doc:"minVersion"`
	MaxVersion    string     `doc:"maxVersion"`
	CipherSuites  []string   `doc:"cipherSuites"`
	Curves        []string   `doc:"curvePreferences"`
	ClientAuth    clientAuth `doc:"clientAuth"`
	SNIStrict     bool       `doc:"sniStrict"`
	ALPNProtocols []string   `doc:"alpnProtocols"`
	NoTickets     bool       `doc:"disableSessionTickets"`
	PreferServer  bool       `doc:"preferServerCipherSuites"`
}

type clientAuth struct {
	CAFiles []string `doc:"caFiles"`
	Type    string   `doc:"clientAuthType"`
}

func (tlsOptions) gaps() []gap { return nil }

func (o *object) tlsOptions(spec *tlsOptions) (m made) {
	t := &model.TLSOptions{
		Name: o.ref.Name, Source: o.ref.Source,
		MinVersion: o.in("minVersion").version(spec.MinVersion), MaxVersion: o.in("maxVersion").version(spec.MaxVersion),
		CipherSuites: o.ciphers(spec.CipherSuites), Curves: o.curves(spec.Curves),
		StrictNames: spec.SNIStrict, NoTickets: spec.NoTickets, Protocols: spec.ALPNProtocols,
	}
	if t.MaxVersion != 0 && t.MaxVersion < max(t.MinVersion, tls.VersionTLS10) {
		o.in("maxVersion").invalid("it is older than minVersion")
	}
	for i, name := range spec.ALPNProtocols {
		if name == "" || len(name) > 255 {
			o.in("alpnProtocols", i).invalid("a protocol has 1 to 255 bytes")
		}
	}
	if spec.PreferServer {
		o.in("preferServerCipherSuites").deprecated("it has no meaning; take it away")
	}
	o.in("clientAuth").clientAuth(&spec.ClientAuth, t)
	t.Broken = o.faulty()
	o.conclude("what needs these options is refused")
	m.options = t
	return m
}

// curves are named as crypto/tls names them, or as RFC 8446 does (§4.2.7).
func (o *object) curves(names []string) (ids []tls.CurveID) {
	for i, name := range names {
		var known tls.CurveID
		for _, id := range []tls.CurveID{
			tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024, tls.X25519, tls.CurveP256, tls.CurveP384,
			tls.CurveP521,
		} {
			standard := strings.NewReplacer("CurveP256", "secp256r1", "CurveP384", "secp384r1", "CurveP521", "secp521r1").
				Replace(id.String())
			if name == id.String() || strings.EqualFold(name, standard) {
				known = id
			}
		}
		if known == 0 {
			o.in("curvePreferences", i).invalid("%q is no curve that is known; write one such as CurveP256 or X25519", name)
		}
		ids = append(ids, known)
	}
	return ids
}

var clientAuthTypes = map[string]tls.ClientAuthType{
	"NoClientCert": tls.NoClientCert, "RequestClientCert": tls.RequestClientCert,
	"RequireAnyClientCert": tls.RequireAnyClientCert, "VerifyClientCertIfGiven": tls.VerifyClientCertIfGiven,
	"RequireAndVerifyClientCert": tls.RequireAndVerifyClientCert,
}

// clientAuth reads whether clients must show a certificate. As in Traefik they must where CAs are given and nothing
// else is said.
func (p place) clientAuth(spec *clientAuth, t *model.TLSOptions) {
	for i, text := range spec.CAFiles {
		t.ClientCAs = append(t.ClientCAs, p.in("caFiles", i).authority(text))
		t.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if spec.Type == "" {
		return
	}
	known, ok := clientAuthTypes[spec.Type]
	switch {
	case !ok:
		p.in("clientAuthType").invalid("%q is none; it is one of %s", spec.Type,
			strings.Join(sortedKeys(clientAuthTypes), ", "))
	case known >= tls.VerifyClientCertIfGiven && len(spec.CAFiles) == 0:
		p.in("caFiles").invalid("say who issues the certificates that clients must have")
	}
	t.ClientAuth = known
}
