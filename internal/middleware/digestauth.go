package middleware

import (
	"crypto/md5" //nolint:gosec // RFC 7616 has it; htdigest writes nothing else
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/model"
)

// digestAuth is the definition, checked.
type digestAuth struct {
	realm    string
	users    map[string]string // the hash of "name:realm:password", in hexadecimal
	sha256   bool              // which hash that is
	identity string            // canonical; "": none
	remove   bool
	nonces   *nonces
}

// newDigestAuth admits requests of users who prove that they know their password (RFC 7616). A nonce of ours is good
// for five minutes, and each of its counts for one request.
func newDigestAuth(s *Set, at place, spec *model.DigestAuth) (Func, error) {
	d := &digestAuth{realm: spec.Realm, users: map[string]string{}, remove: spec.RemoveHeader}
	var err error
	if d.identity, err = identityName("digestAuth.headerField", spec.HeaderField); err != nil {
		return nil, err
	}
	for i, line := range spec.Users {
		if err := d.add(fmt.Sprintf("digestAuth.users[%d]", i), line); err != nil {
			return nil, err
		}
	}
	switch {
	case len(d.users) == 0:
		return nil, fieldError("digestAuth.users", "is empty and would admit nobody; name a user")
	case !httpguts.ValidHeaderFieldValue(d.realm) || strings.ContainsAny(d.realm, `"\`):
		return nil, fieldError("digestAuth.realm", "has quotes or control characters; remove them")
	}
	d.nonces = stateOf(s, place{middleware: at.middleware}, "digestAuth", newNonces)
	return d.wrap, nil
}

// add reads a line of htdigest. Errors do not quote it.
func (d *digestAuth) add(place string, line model.Secret) error {
	parts := strings.Split(strings.TrimSpace(line.Reveal()), ":")
	if len(parts) != 3 || parts[0] == "" || !httpguts.ValidHeaderFieldValue(parts[0]) {
		return fieldError(place, "is not name:realm:hash; write the line that htdigest writes")
	}
	name, realm, hash := parts[0], parts[1], strings.ToLower(parts[2])
	sum, err := hex.DecodeString(hash)
	if err != nil || len(sum) != md5.Size && len(sum) != sha256.Size {
		return fieldError(place, "has no MD5 or SHA-256 in hexadecimal; write the line that htdigest writes")
	}
	first := len(d.users) == 0
	switch {
	case first && d.realm == "":
		d.realm = realm
	case realm != d.realm:
		return fieldError(place, "has another realm than %q; the password of one realm is not that of another", d.realm)
	}
	if isSHA := len(sum) == sha256.Size; first {
		d.sha256 = isSHA
	} else if isSHA != d.sha256 {
		return fieldError(place, "has another kind of hash than the user before; use one kind")
	}
	d.users[name] = hash
	return nil
}

func (d *digestAuth) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.identity != "" {
			removeIdentity(r.Header, d.identity)
		}
		user, stale, ok := d.verify(r)
		if !ok {
			w.Header().Set("WWW-Authenticate", d.challenge(stale))
			refuse(w, http.StatusUnauthorized, "refused_by_digestAuth")
			return
		}
		if d.identity != "" {
			r.Header.Set(d.identity, user)
		}
		if d.remove {
			delete(r.Header, "Authorization")
		}
		next.ServeHTTP(w, r)
	})
}

func (d *digestAuth) challenge(stale bool) string {
	algorithm := "MD5"
	if d.sha256 {
		algorithm = "SHA-256"
	}
	text := fmt.Sprintf(`Digest realm="%s", qop="auth", algorithm=%s, nonce="%s"`, d.realm, algorithm, d.nonces.make())
	if stale { // the password was right, so the client need not ask its user again
		text += ", stale=true"
	}
	return text
}

// verify returns the user who made the request (RFC 7616 §3.4). stale: it would be right with a newer nonce.
func (d *digestAuth) verify(r *http.Request) (user string, stale, ok bool) {
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Digest") || len(rest) > 4*maxCredential {
		return "", false, false
	}
	p, ok := parseDigest(rest)
	count, err := strconv.ParseUint(p["nc"], 16, 32)
	if !ok || err != nil || p["qop"] != "auth" || p["realm"] != d.realm || p["uri"] != r.RequestURI || p["cnonce"] == "" {
		return "", false, false
	}
	hash, known := d.users[p["username"]]
	if !known {
		hash = d.hash("nobody") // so that the time it takes does not tell who has an account
	}
	want := d.hash(strings.Join([]string{
		hash, p["nonce"], p["nc"], p["cnonce"], p["qop"], d.hash(r.Method + ":" + p["uri"]),
	}, ":"))
	if subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(p["response"]))) != 1 || !known {
		return "", false, false
	}
	if !d.nonces.use(p["nonce"], count) {
		return "", true, false
	}
	return p["username"], false, true
}

func (d *digestAuth) hash(text string) string {
	if d.sha256 {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	sum := md5.Sum([]byte(text)) //nolint:gosec // see above
	return hex.EncodeToString(sum[:])
}

// parseDigest reads the parameters of a credential: name=token or name="text", with commas between (RFC 9110 §11.4).
// One that is given twice makes all of them bad.
func parseDigest(s string) (map[string]string, bool) {
	parameters := map[string]string{}
	for s = strings.Trim(s, " \t,"); s != ""; s = strings.TrimLeft(s, " \t,") {
		name, rest, found := strings.Cut(s, "=")
		name, rest = strings.ToLower(strings.TrimSpace(name)), strings.TrimLeft(rest, " \t")
		if _, twice := parameters[name]; !found || twice || !httpguts.ValidHeaderFieldName(name) {
			return nil, false
		}
		value, after, ok := digestValue(rest)
		if !ok {
			return nil, false
		}
		parameters[name], s = value, after
	}
	return parameters, true
}

// digestValue takes a token or a quoted text from the front of s.
func digestValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		i := strings.IndexAny(s, ", \t")
		if i < 0 {
			i = len(s)
		}
		return s[:i], s[i:], true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}
