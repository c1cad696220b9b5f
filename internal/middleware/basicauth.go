package middleware

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"

	"github.com/tg123/go-htpasswd"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/model"
)

// defaultRealm is what a browser shows when it asks for a password.
const defaultRealm = "fairlead"

// account is what is known of one user.
type account struct {
	hash    string
	encoded htpasswd.EncodedPasswd
	cost    int // of verifying a password, relative to the other accounts
}

// newBasicAuth admits requests with a user's name and password (RFC 7617). The service gets the user's name in
// HeaderField, whatever the client wrote there, and the password unless RemoveHeader.
func newBasicAuth(s *Set, _ place, spec *model.BasicAuth) (Func, error) {
	accounts, err := parseAccounts(spec.Users)
	if err != nil {
		return nil, err
	}
	identity, err := identityName("basicAuth.headerField", spec.HeaderField)
	if err != nil {
		return nil, err
	}
	challenge, err := basicChallenge("basicAuth.realm", spec.Realm)
	if err != nil {
		return nil, err
	}
	stranger := costliest(accounts)

	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if identity != "" {
				removeIdentity(r.Header, identity)
			}
			user, password, ok := r.BasicAuth()
			a, known := accounts[user]
			if !known {
				a = stranger // so that the time it takes does not tell who has an account
			}
			if !ok || !s.passwords.match(r.Context(), a, password) || !known {
				w.Header().Set("WWW-Authenticate", challenge)
				refuse(w, http.StatusUnauthorized, "refused_by_basicAuth")
				return
			}
			if identity != "" {
				r.Header.Set(identity, user)
			}
			if spec.RemoveHeader {
				delete(r.Header, "Authorization")
			}
			next.ServeHTTP(w, r)
		})
	}, nil
}

// basicChallenge asks a client for a name and a password; place is where the realm stands.
func basicChallenge(place, realm string) (string, error) {
	if !httpguts.ValidHeaderFieldValue(realm) {
		return "", fieldError(place, "has control characters; remove them")
	}
	return `Basic realm="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(cmp.Or(realm, defaultRealm)) + `"`, nil
}

// parseAccounts reads htpasswd lines. Of two lines for one user, the last counts. Errors do not quote the lines.
func parseAccounts(lines []model.Secret) (map[string]account, error) {
	accounts := make(map[string]account, len(lines))
	for i, line := range lines {
		user, hash, ok := strings.Cut(strings.TrimSpace(line.Reveal()), ":")
		if !ok || user == "" || !httpguts.ValidHeaderFieldValue(user) {
			return nil, fieldError(fmt.Sprintf("basicAuth.users[%d]", i),
				"is not user:hash; write the line that htpasswd -nB prints")
		}
		a, ok := parseAccount(hash)
		if !ok {
			return nil, fieldError(fmt.Sprintf("basicAuth.users[%d]", i),
				"has no hash of a known kind (bcrypt, SHA1, apr1); write the line that htpasswd -nB prints")
		}
		accounts[user] = a
	}
	if len(accounts) == 0 {
		return nil, fieldError("basicAuth.users", "is empty and would admit nobody; name a user")
	}
	return accounts, nil
}

// parseAccount takes what Traefik takes. Plain text is not among it.
func parseAccount(hash string) (account, bool) {
	if cost, err := bcrypt.Cost([]byte(hash)); err == nil {
		encoded, err := htpasswd.AcceptBcrypt(hash)
		return account{hash, encoded, 100 + cost}, err == nil && encoded != nil
	}
	if encoded, err := htpasswd.AcceptMd5(hash); err == nil && encoded != nil {
		return account{hash, encoded, 2}, true
	}
	encoded, err := htpasswd.AcceptSha(hash)
	return account{hash, encoded, 1}, err == nil && encoded != nil
}

// costliest returns the account whose verification takes longest.
func costliest(accounts map[string]account) account {
	var most account
	for _, a := range accounts {
		if a.cost > most.cost || a.cost == most.cost && a.hash > most.hash {
			most = a
		}
	}
	return most
}
