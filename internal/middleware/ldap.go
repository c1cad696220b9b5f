package middleware

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/net/http/httpguts"
	"golang.org/x/sync/singleflight"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	defaultLDAPKeep = 10 * time.Second
	// maxUserName is the length of the longest user's name that a server is asked about, in bytes.
	maxUserName        = 256
	defaultGroupFilter = "(|(member=%d)(uniqueMember=%d)(memberUid=%s))"
)

var errNobody = errors.New("there is no such user, or the password is wrong")

// ldapAuth is the definition, checked.
type ldapAuth struct {
	*model.LDAP
	*directory
	attribute, groupFilter string
	header, challenge      string
	keep                   time.Duration
	log                    *slog.Logger
}

// directory outlives the handler.
type directory struct {
	pool    *ldapPool
	sums    *sums
	answers singleflight.Group // one question for all who ask the same
	*reach

	mu    sync.Mutex
	known *lru[[sha256.Size]byte, person] // by what is made of name and password; wrong ones are not remembered
}

// person is who the server says a user is.
type person struct {
	name   string // as the service is told
	member bool   // of one of the groups
	until  time.Time
}

func (d *directory) close() { d.pool.close() }

// newLDAP admits requests with a user's name and password that an LDAP server takes.
func newLDAP(s *Set, at place, spec *model.LDAP) (Func, error) {
	l := &ldapAuth{
		LDAP: spec, log: s.log, attribute: cmp.Or(spec.Attribute, "cn"),
		groupFilter: cmp.Or(spec.GroupFilter, defaultGroupFilter), keep: max(cmp.Or(spec.Keep, defaultLDAPKeep), 0),
	}
	var err error
	if l.header, err = identityName("ldap.forwardUsernameHeader", spec.NameHeader); err != nil {
		return nil, err
	}
	if l.challenge, err = basicChallenge("ldap.wwwAuthenticateHeaderRealm", spec.Realm); err != nil {
		return nil, err
	}
	l.challenge += `, charset="UTF-8"`
	if err := l.checkNames(); err != nil {
		return nil, err
	}
	server, err := newLDAPServer(spec)
	if err != nil {
		return nil, err
	}
	like := likeOf("ldap", spec.URL, spec.BindDN, spec.BindPassword.Reveal(), spec.BaseDN, l.attribute, spec.Filter,
		strings.Join(spec.Groups, "\n"), l.groupFilter, spec.NameAttribute, serverKeyOf(spec.Server),
		fmt.Sprint(spec.StartTLS, spec.Pool, spec.Keep))
	l.directory = stateOf(s, place{middleware: at.middleware}, like, func() *directory {
		return &directory{
			pool: newLDAPPool(spec.Pool, server.dial), sums: newSums(),
			known: newLRU[[sha256.Size]byte, person](maxVerified), reach: &reach{of: at.middleware, field: "ldap.url"},
		}
	})
	return l.wrap, nil
}

// checkNames finds what the server would not understand.
func (l *ldapAuth) checkNames() error {
	if _, err := ldap.ParseDN(l.BaseDN); err != nil || l.BaseDN == "" {
		return fieldError("ldap.baseDN", "is not the name of an entry; write it like dc=shop,dc=example")
	}
	for _, group := range l.Groups {
		if _, err := ldap.ParseDN(group); err != nil || group == "" {
			return fieldError("ldap.groups", "%q is not the name of an entry; write it like cn=staff,dc=shop,dc=example", group)
		}
	}
	if _, err := ldap.CompileFilter(expandFilter(l.Filter, "x", "")); l.Filter != "" && err != nil {
		return fieldError("ldap.searchFilter", "is no filter; write it like (uid=%%s)")
	}
	if _, err := ldap.CompileFilter(expandFilter(l.groupFilter, "x", "x")); err != nil {
		return fieldError("ldap.groupFilter", "is no filter; write it like (member=%%d)")
	}
	return nil
}

// expandFilter puts a user's name, and the name of its entry, into a filter: as values, whatever is in them.
func expandFilter(filter, user, dn string) string {
	return strings.NewReplacer("%s", ldap.EscapeFilter(user), "%d", ldap.EscapeFilter(dn)).Replace(filter)
}

func (l *ldapAuth) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.header != "" {
			removeIdentity(r.Header, l.header)
		}
		p, err := l.identify(r)
		switch {
		case errors.Is(err, errNobody):
			if !l.Mute {
				w.Header().Set("WWW-Authenticate", l.challenge)
			}
			refuse(w, http.StatusUnauthorized, "refused_by_ldap")
			return
		case err != nil:
			refuse(w, http.StatusServiceUnavailable, "auth_unreachable")
			return
		case !p.member:
			refuse(w, http.StatusForbidden, "refused_by_ldap")
			return
		}
		if l.header != "" {
			r.Header[l.header] = []string{p.name}
		}
		keepClaims(w, map[string]any{"sub": p.name})
		if !l.KeepAuthorization {
			delete(r.Header, "Authorization")
		}
		next.ServeHTTP(w, r)
	})
}

func (l *ldapAuth) identify(r *http.Request) (person, error) {
	user, password, ok := r.BasicAuth()
	// A server takes an empty password for a client that does not want to say who it is, and that is no proof of anything
	// (RFC 4513 §5.1.2).
	if !ok || password == "" || len(password) > maxCredential || !isUserName(user) || len(r.Header["Authorization"]) > 1 {
		return person{}, errNobody
	}
	sum := l.sums.of(user, password)
	if p, ok := l.recall(sum); ok {
		return p, nil
	}
	answer := l.answers.DoChan(string(sum[:]), func() (any, error) {
		p, err := l.ask(user, password)
		if err == nil {
			l.remember(sum, p)
		}
		return p, err
	})
	select {
	case a := <-answer:
		return a.Val.(person), a.Err
	case <-r.Context().Done():
		return person{}, r.Context().Err()
	}
}

// isUserName refuses what nobody is called. Spaces around a name are among it: servers do not see them (RFC 4518
// §2.6.1), and the service would.
func isUserName(user string) bool {
	return user != "" && len(user) <= maxUserName && utf8.ValidString(user) && strings.TrimSpace(user) == user &&
		httpguts.ValidHeaderFieldValue(user) && !strings.ContainsRune(user, '\t')
}

func (d *directory) recall(sum [sha256.Size]byte) (person, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.known.has(sum) {
		return person{}, false
	}
	p := *d.known.at(sum)
	return p, time.Now().Before(p.until)
}

func (l *ldapAuth) remember(sum [sha256.Size]byte, p person) {
	if l.keep == 0 {
		return
	}
	p.until = time.Now().Add(l.keep)
	l.mu.Lock()
	defer l.mu.Unlock()
	*l.known.at(sum) = p
}

// ask belongs to no request: others may wait for the answer, too.
func (l *ldapAuth) ask(user, password string) (p person, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), cmp.Or(l.Server.Timeout, defaultIdentityTimeout))
	defer cancel()
	err = l.pool.do(ctx, func(c *ldap.Conn) (err error) {
		p, err = l.verify(c, user, password)
		return err
	})
	answered := err == nil || errors.Is(err, errNobody)
	l.note(answered)
	if !answered {
		l.log.Warn("cannot ask an LDAP server", "server", l.URL, "error", err)
		return person{}, errUnreachable
	}
	return p, err
}

// verify finds the user's entry, tries the password, and looks at the groups: as the instance, where it is somebody to
// the server, else as the user.
func (l *ldapAuth) verify(c *ldap.Conn, user, password string) (person, error) {
	dn, name, err := l.find(c, user)
	if errors.Is(err, errNobody) {
		// The password is tried all the same, so that the time it takes does not tell who there is.
		if err := c.Bind("cn="+nobody+","+l.BaseDN, password); err != nil && !ldap.IsErrorAnyOf(err, refusals...) {
			return person{}, err
		}
		return person{}, errNobody
	}
	if err != nil {
		return person{}, err
	}
	if err := c.Bind(dn, password); err != nil {
		if ldap.IsErrorAnyOf(err, refusals...) {
			err = errNobody
		}
		return person{}, err
	}
	member, err := l.isMember(c, user, dn)
	return person{name: name, member: member}, err
}

// nobody is a name that no entry has: if one does, its password lets nobody in.
const nobody = "b7f0c4d2-no-such-entry"

// refusals are the results of those who may not come in. All others are the server's trouble, or this instance's.
var refusals = []uint16{
	ldap.LDAPResultInvalidCredentials, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInvalidDNSyntax,
	ldap.LDAPResultInappropriateAuthentication, ldap.LDAPResultInsufficientAccessRights,
	ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultConstraintViolation,
}

// find returns the name of the user's entry, and the user's name as the service is told.
func (l *ldapAuth) find(c *ldap.Conn, user string) (dn, name string, err error) {
	if l.Filter == "" {
		return l.attribute + "=" + ldap.EscapeDN(user) + "," + l.BaseDN, user, nil
	}
	if err := l.introduce(c); err != nil {
		return "", "", err
	}
	question := l.question(l.BaseDN, ldap.ScopeWholeSubtree, expandFilter(l.Filter, user, ""))
	if l.NameAttribute != "" {
		question.Attributes = []string{l.NameAttribute}
	}
	result, err := c.Search(question)
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) || err == nil && len(result.Entries) > 1:
		l.log.Warn("an LDAP server knows several users of one name; searchFilter must find one", "server", l.URL)
		return "", "", errNobody
	case err != nil:
		return "", "", fmt.Errorf("searching: %w", err)
	case len(result.Entries) == 0 || result.Entries[0].DN == "": // without a name, it would be a bind of nobody
		return "", "", errNobody
	}
	entry := result.Entries[0]
	if l.NameAttribute == "" {
		return entry.DN, user, nil
	}
	if name = entry.GetEqualFoldAttributeValue(l.NameAttribute); name == "" || !httpguts.ValidHeaderFieldValue(name) {
		l.log.Warn("a user has no name", "server", l.URL, "entry", entry.DN, "attribute", l.NameAttribute)
		return "", "", errNobody
	}
	return entry.DN, name, nil
}

// introduce says who is asking. Whoever used the connection before is forgotten.
func (l *ldapAuth) introduce(c *ldap.Conn) (err error) {
	if l.BindDN == "" {
		err = c.UnauthenticatedBind("")
	} else {
		err = c.Bind(l.BindDN, l.BindPassword.Reveal())
	}
	if err != nil {
		return fmt.Errorf("binding as %q: %w", l.BindDN, err)
	}
	return nil
}

func (l *ldapAuth) isMember(c *ldap.Conn, user, dn string) (bool, error) {
	if len(l.Groups) == 0 {
		return true, nil
	}
	if l.BindDN != "" {
		if err := l.introduce(c); err != nil {
			return false, err
		}
	}
	for _, group := range l.Groups {
		result, err := c.Search(l.question(group, ldap.ScopeBaseObject, expandFilter(l.groupFilter, user, dn)))
		switch {
		case ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject): // it was deleted, or may not be seen
		case err != nil:
			return false, fmt.Errorf("searching %s: %w", group, err)
		case len(result.Entries) > 0:
			return true, nil
		}
	}
	return false, nil
}

func (l *ldapAuth) question(base string, scope int, filter string) *ldap.SearchRequest {
	return &ldap.SearchRequest{
		BaseDN: base, Scope: scope, DerefAliases: ldap.NeverDerefAliases, Filter: filter,
		SizeLimit:  2, // one more than there may be
		TimeLimit:  int(cmp.Or(l.Server.Timeout, defaultIdentityTimeout) / time.Second),
		Attributes: []string{"1.1"}, // none, RFC 4511 §4.5.1.8
	}
}
