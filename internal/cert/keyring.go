package cert

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// Keyring holds the certificates that snapshots bring. They are for all entry points.
type Keyring struct {
	mu    sync.RWMutex
	held  map[model.Ref]*held // by what they are told by
	index *index
}

// held is a certificate of a snapshot. It is immutable.
type held struct {
	from *model.Certificate
	good *tls.Certificate // the last one of that name that could be used; nil: none could
	err  error            // why what is in the snapshot cannot be
}

// NewKeyring returns an empty one.
func NewKeyring() *Keyring { return &Keyring{index: newIndex(nil)} }

// Set makes the certificates of a snapshot those that clients are shown. Of several for one name, the first gets it,
// and of several that are the default, too. One that cannot be used now does not replace one that could.
func (k *Keyring) Set(list []*model.Certificate) {
	k.mu.RLock()
	before := k.held
	k.mu.RUnlock()
	now := make(map[model.Ref]*held, len(list))
	var certificates []*tls.Certificate
	var first *tls.Certificate
	for _, c := range list {
		h := before[c.Ref()]
		if h == nil || h.from != c {
			h = hold(c, h)
		}
		now[c.Ref()] = h
		switch {
		case h.good == nil:
		case c.Default && first == nil:
			first = h.good
		case !c.Default:
			certificates = append(certificates, h.good)
		}
	}
	index := newIndex(certificates)
	index.first = first
	k.mu.Lock()
	k.held, k.index = now, index
	k.mu.Unlock()
}

// hold reads a certificate; before is what was held under its name, or nil.
func hold(c *model.Certificate, before *held) *held {
	h := &held{from: c}
	if before != nil {
		h.good = before.good
	}
	if c.Broken {
		return h // its source says why
	}
	pair, err := tls.X509KeyPair([]byte(c.Chain), []byte(c.Key.Reveal()))
	if err != nil {
		h.err = err
		return h
	}
	h.good = &pair
	return h
}

// now returns the index that handshakes look into.
func (k *Keyring) now() *index {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.index
}

// Problems returns what is wrong with the certificates at the moment, sorted, besides what their sources say.
func (k *Keyring) Problems() (list []model.Problem) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, h := range k.held {
		problem := model.Problem{Object: model.Object{Kind: model.KindCertificate, Ref: h.from.Ref()}}
		if h.err != nil {
			effect := "it is not shown"
			if h.good != nil {
				effect = "its last good content is shown"
			}
			problem.Code = model.InvalidField
			problem.Message = fmt.Sprintf("this is no certificate with its key: %v; %s", h.err, effect)
			list = append(list, problem)
		}
		if h.good != nil && time.Now().After(h.good.Leaf.NotAfter) {
			problem.Code, problem.Since, problem.Message = model.Stale, h.good.Leaf.NotAfter, expired
			list = append(list, problem)
		}
	}
	slices.SortFunc(list, model.Problem.Compare)
	return list
}

// Choice is what an entry point shows clients: first its own certificates, then those that all entry points have.
type Choice struct {
	Own    *Files
	Shared *Keyring
}

// GetCertificate returns the certificate for the name that a client asks for: one for exactly that name or a
// wildcard's, the entry point's own first; else the entry point's first one, else the default one of all.
func (c Choice) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if found := c.find(hello.ServerName); found != nil {
		return found, nil
	}
	own := c.Own.current.Load().first
	if own == nil {
		own = c.Shared.now().first
	}
	if own == nil {
		return nil, errNoCertificate
	}
	return own, nil
}

// Has reports whether there is a certificate for the name. Default ones do not count.
func (c Choice) Has(name string) bool { return c.find(name) != nil }

func (c Choice) find(name string) *tls.Certificate {
	name = canonical(name)
	own, shared := c.Own.current.Load(), c.Shared.now()
	return cmp.Or(own.exact[name], shared.exact[name], own.covering(name), shared.covering(name))
}
