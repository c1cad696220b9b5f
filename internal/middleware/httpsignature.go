package middleware

import (
	"cmp"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"
	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	defaultSignatureAge = 5 * time.Minute
	// Of what is looked at: the length of the fields, in bytes, the signatures in them, and what each is about.
	maxSignatureFields, maxSignatures, maxComponents = 16 << 10, 8, 64
)

var errBadSignature = errors.New("the request has no signature that is good")

// httpSignature is the definition, checked.
type httpSignature struct {
	*model.HTTPSignature
	keys                map[string]signatureKey
	header              string
	age, leeway         time.Duration
	challenge, accepted string // what a client is told
	used                *usedNonces
}

// newHTTPSignature admits requests that their sender has signed.
func newHTTPSignature(s *Set, at place, spec *model.HTTPSignature) (Func, error) {
	h := &httpSignature{
		HTTPSignature: spec, age: cmp.Or(spec.MaxAge, defaultSignatureAge),
		leeway: max(cmp.Or(spec.Leeway, defaultLeeway), 0), challenge: `Signature realm="fairlead"`,
	}
	var err error
	if h.keys, err = newSignatureKeys(spec.Keys); err != nil {
		return nil, err
	}
	if h.header, err = identityName("httpSignature.identityHeader", spec.IdentityHeader); err != nil {
		return nil, err
	}
	if h.accepted, err = acceptSignature(spec); err != nil {
		return nil, err
	}
	life := h.age + 2*h.leeway // from when the clock of the sender is ahead, to when it is behind
	h.used = stateOf(s, place{middleware: at.middleware}, "httpSignature "+life.String(), func() *usedNonces {
		return &usedNonces{life: life}
	})
	return h.wrap, nil
}

// acceptSignature writes what a signature must be about for those who sign (RFC 9421 §5.1).
func acceptSignature(spec *model.HTTPSignature) (string, error) {
	list := httpsfv.InnerList{Params: httpsfv.NewParams()}
	for _, name := range spec.Covered {
		if !isComponentName(name) {
			return "", fieldError("httpSignature.requiredComponents", "%q is not the name of a component of requests", name)
		}
		list.Items = append(list.Items, httpsfv.NewItem(name))
	}
	list.Params.Add("created", true)
	if spec.Tag != "" {
		list.Params.Add("tag", spec.Tag)
	}
	offer := httpsfv.NewDictionary()
	offer.Add("fairlead", list)
	text, err := httpsfv.Marshal(offer)
	if err != nil {
		return "", fieldError("httpSignature.tag", "cannot be written; use ASCII")
	}
	return text, nil
}

func (h *httpSignature) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.header != "" {
			removeIdentity(r.Header, h.header)
		}
		found, err := h.verify(r)
		if err != nil {
			h.deny(w)
			return
		}
		if status := h.checkBody(r, found); status == http.StatusUnauthorized {
			h.deny(w)
			return
		} else if status != 0 {
			refuse(w, status, "refused_by_httpSignature")
			return
		}
		switch h.used.use(found.key, found.nonce, time.Now()) {
		case nonceUsed:
			h.deny(w)
			return
		case noRoom:
			refuse(w, http.StatusServiceUnavailable, "refused_by_httpSignature")
			return
		}
		if h.header != "" {
			r.Header[h.header] = []string{found.key}
		}
		next.ServeHTTP(w, r)
	})
}

func (h *httpSignature) deny(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", h.challenge)
	w.Header().Set("Accept-Signature", h.accepted)
	refuse(w, http.StatusUnauthorized, "refused_by_httpSignature")
}

// signature is what one says of itself.
type signature struct {
	key, nonce string
	covers     map[string]bool // names of components, as a whole
}

// verify returns the first signature that is good. A request may have others, for others (RFC 9421 §4.3).
func (h *httpSignature) verify(r *http.Request) (signature, error) {
	inputs, signatures := r.Header["Signature-Input"], r.Header["Signature"]
	if len(strings.Join(inputs, ""))+len(strings.Join(signatures, "")) > maxSignatureFields {
		return signature{}, errBadSignature
	}
	about, err := httpsfv.UnmarshalDictionary(inputs)
	if err != nil || len(about.Names()) > maxSignatures {
		return signature{}, errBadSignature
	}
	values, err := httpsfv.UnmarshalDictionary(signatures)
	if err != nil {
		return signature{}, errBadSignature
	}
	for _, label := range about.Names() {
		member, _ := about.Get(label)
		list, isList := member.(httpsfv.InnerList)
		value, _ := values.Get(label)
		item, _ := value.(httpsfv.Item)
		given, isBytes := item.Value.([]byte)
		if !isList || !isBytes || len(list.Items) > maxComponents {
			continue
		}
		if s, ok := h.verifyOne(r, list, given); ok {
			return s, nil
		}
	}
	return signature{}, errBadSignature
}

func (h *httpSignature) verifyOne(r *http.Request, list httpsfv.InnerList, given []byte) (s signature, ok bool) {
	s.key, _ = textParam(list.Params, "keyid")
	key, known := h.keys[s.key]
	if !known || !h.isAcceptable(list.Params, key, &s, time.Now()) {
		return s, false
	}
	base, covers, err := signatureBase(r, list)
	if err != nil {
		return s, false
	}
	s.covers = covers
	for _, name := range h.Covered {
		if !isCovered(covers, name) {
			return s, false
		}
	}
	return s, key.verify(base, given)
}

// isAcceptable looks at what a signature says of itself (RFC 9421 §2.3, §3.2.1). The algorithm is the key's: what the
// signature says of it may only agree.
func (h *httpSignature) isAcceptable(p *httpsfv.Params, key signatureKey, s *signature, now time.Time) bool {
	if alg, given := p.Get("alg"); given && alg != key.algorithm {
		return false
	}
	if tag, _ := textParam(p, "tag"); h.Tag != "" && tag != h.Tag {
		return false
	}
	created, ok := timeParam(p, "created")
	if !ok || created.After(now.Add(h.leeway)) || now.Sub(created) > h.age+h.leeway {
		return false
	}
	if _, given := p.Get("expires"); given {
		if expires, ok := timeParam(p, "expires"); !ok || !now.Add(-h.leeway).Before(expires) {
			return false
		}
	}
	var isText bool
	s.nonce, isText = textParam(p, "nonce")
	if _, given := p.Get("nonce"); given || h.NeedNonce {
		return isText && s.nonce != "" && len(s.nonce) <= maxNonceLength
	}
	return true
}

func textParam(p *httpsfv.Params, name string) (string, bool) {
	value, _ := p.Get(name)
	text, ok := value.(string)
	return text, ok
}

func timeParam(p *httpsfv.Params, name string) (time.Time, bool) {
	value, _ := p.Get(name)
	seconds, ok := value.(int64)
	return time.Unix(seconds, 0), ok
}

// checkBody reports 0 where the signature is about the body, too; else the status of the answer.
func (h *httpSignature) checkBody(r *http.Request, s signature) (status int) {
	if h.AnyBody {
		return 0
	}
	body, status := readBody(r, cmp.Or(h.MaxBody, defaultAuthBody))
	if status != 0 {
		return status
	}
	if len(body) == 0 && !s.covers["content-digest"] {
		return 0
	}
	if !s.covers["content-digest"] || !isDigestOf(body, r.Header["Content-Digest"]) {
		return http.StatusUnauthorized
	}
	return 0
}

// isDigestOf wants one digest of a kind that is no plaything, and none that is wrong (RFC 9530 §2, §5).
func isDigestOf(body []byte, field []string) bool {
	digests, err := httpsfv.UnmarshalDictionary(field)
	if err != nil {
		return false
	}
	found := false
	short, long := sha256.Sum256(body), sha512.Sum512(body)
	for kind, want := range map[string][]byte{"sha-256": short[:], "sha-512": long[:]} {
		member, given := digests.Get(kind)
		if !given {
			continue
		}
		item, _ := member.(httpsfv.Item)
		sum, _ := item.Value.([]byte)
		if subtle.ConstantTimeCompare(sum, want) != 1 {
			return false
		}
		found = true
	}
	return found
}

// isComponentName reports whether a whole component of requests has the name.
func isComponentName(name string) bool {
	if strings.HasPrefix(name, "@") {
		_, known := derived[name]
		return known
	}
	return httpguts.ValidHeaderFieldName(name) && strings.ToLower(name) == name
}
