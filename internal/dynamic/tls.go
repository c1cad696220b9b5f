package dynamic

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

type tlsSpec struct {
	Certificates []*document.Node `doc:"certificates"`
	Stores       *document.Node   `doc:"stores"`
	Options      *document.Node   `doc:"options"`
}

// tlsDocument is what a file says of TLS with clients.
type tlsDocument struct {
	certificates []entry[tlsCertificate]
	stores       []entry[tlsStore]
	options      []entry[tlsOptions]
}

func decodeTLS(d *Document, spec *tlsSpec) tlsDocument {
	t := tlsDocument{
		stores:  section(d, "tls.stores", spec.Stores, decodeSpec[tlsStore]),
		options: section(d, "tls.options", spec.Options, decodeSpec[tlsOptions]),
	}
	for i, n := range spec.Certificates {
		e := entry[tlsCertificate]{path: fmt.Sprintf("tls.certificates[%d]", i), at: n.At, node: n}
		e.spec, e.mistakes = decodeSpec[tlsCertificate](n)
		e.name = e.spec.name()
		t.certificates = append(t.certificates, e)
	}
	return t
}

// tlsCertificate is a certificate for clients, and its key. As in Traefik, each is a file's name or the PEM itself.
type tlsCertificate struct {
	clientPair
	Stores []string `doc:"stores"`
}

func (tlsCertificate) gaps() []gap { return nil }

// name is what a certificate is told by, wherever it stands in the list: when another takes its place, it is not taken
// for the same.
func (c tlsCertificate) name() string {
	if !isPEM(c.CertFile) {
		return c.CertFile
	}
	sum := sha256.Sum256([]byte(c.CertFile))
	return "sha256:" + hex.EncodeToString(sum[:8])
}

// tlsStore is one entry of tls.stores.
type tlsStore struct {
	Default *clientPair `doc:"defaultCertificate"`
}

func (tlsStore) gaps() []gap { return []gap{{"defaultGeneratedCert", ignored}} } // of a resolver, which is ACME's

// files are those that certificates and options refer to.
func (t *tlsDocument) files() (names []string) {
	for _, e := range t.certificates {
		names = append(names, e.spec.files()...)
	}
	for _, e := range t.stores {
		if e.spec.Default != nil {
			names = append(names, e.spec.Default.files()...)
		}
	}
	for _, e := range t.options {
		for _, ca := range e.spec.ClientAuth.CAFiles {
			names = append(names, fileName(ca))
		}
	}
	return names
}

func (c clientPair) files() []string { return []string{fileName(c.CertFile), fileName(c.KeyFile)} }

func addTLS(d *Document) {
	addSection(d, model.KindCertificate, "tls.certificates", d.tls.certificates, (*object).certificate)
	addSection(d, model.KindCertificate, "tls.stores", d.tls.stores, (*object).store)
	addSection(d, model.KindTLSOptions, "tls.options", d.tls.options, (*object).tlsOptions)
}

// defaultStore is the only store that there is.
const defaultStore = "default"

func (o *object) certificate(spec *tlsCertificate) (m made) {
	for i, store := range spec.Stores {
		if store != defaultStore {
			o.report(model.Unsupported, o.in("stores", i).field(), o.in("stores", i).at(),
				`"default" is the only store, and has all certificates; this one is ignored`)
		}
	}
	m.certificate = o.in().pair(spec.clientPair)
	o.concludeCertificate()
	return m
}

func (o *object) store(spec *tlsStore) (m made) {
	if o.ref.Name.Name != defaultStore {
		o.report(model.Unsupported, "", o.at, `"default" is the only store; it is ignored`)
		return m
	}
	if spec.Default != nil {
		m.certificate = o.in("defaultCertificate").pair(*spec.Default)
		m.certificate.Default = true
	}
	o.concludeCertificate()
	return m
}

func (o *object) concludeCertificate() {
	o.conclude("what was last read under this name is shown, if anything was")
}

// pair reads a certificate and its key. Whether they fit is found where they are used, once for each pair.
func (p place) pair(spec clientPair) *model.Certificate {
	for key, value := range map[string]string{"certFile": spec.CertFile, "keyFile": spec.KeyFile} {
		if value == "" {
			p.in(key).invalid("give the name of a file of PEM, or the PEM itself")
		}
	}
	c := &model.Certificate{
		Name: p.object.ref.Name, Source: p.object.ref.Source,
		Chain: p.in("certFile").pem(spec.CertFile), Key: model.NewSecret(p.in("keyFile").pem(spec.KeyFile)),
	}
	if p.object.faulty() {
		c.Broken, c.Chain, c.Key = true, "", model.Secret{}
	}
	return c
}

// tlsDomain is a certificate that a router wants to have.
type tlsDomain struct {
	Main string   `doc:"main"`
	SANs []string `doc:"sans"`
}

// terms reads what a router says of TLS with its clients, apart from that it wants it.
func (o *object) terms(r *model.Route, options string, domains []tlsDomain) {
	if options != "" && options != model.DefaultTLSOptions {
		r.TLSOptions = o.in("tls", "options").ref(options)
		r.TLSOptions.Lane = model.LaneHTTP // they are of no lane
	}
	for i, d := range domains {
		at := o.in("tls", "domains", i)
		if d.Main == "" {
			at.in("main").invalid("say for which name there should be a certificate")
		}
		for _, name := range append([]string{d.Main}, d.SANs...) {
			r.TLSNames = append(r.TLSNames, strings.ToLower(name))
		}
	}
}
