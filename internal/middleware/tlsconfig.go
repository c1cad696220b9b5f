package middleware

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/fairlead/fairlead/internal/model"
)

// newTLSConfig makes what a definition says; place is where it stands. Nil is what the system trusts.
func newTLSConfig(place string, spec *model.ClientTLS) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if spec == nil {
		return config, nil
	}
	config.InsecureSkipVerify = spec.SkipVerify
	if spec.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(spec.CA)) {
			return nil, fieldError(place+".ca", "has no certificate; give it in PEM")
		}
	}
	if spec.Cert != "" || spec.Key != (model.Secret{}) {
		pair, err := tls.X509KeyPair([]byte(spec.Cert), []byte(spec.Key.Reveal()))
		if err != nil { // it may quote a part of what it read
			return nil, fieldError(place+".cert", "is no certificate in PEM, or key is not its key")
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// tlsSum is equal for equal definitions, and says nothing of the key.
func tlsSum(spec *model.ClientTLS) [sha256.Size]byte {
	return sha256.Sum256([]byte(fmt.Sprintf("%q %q %q %t", spec.CA, spec.Cert, spec.Key.Reveal(), spec.SkipVerify)))
}
