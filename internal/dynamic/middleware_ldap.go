package dynamic

import (
	"net/url"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

type ldap struct {
	URL                        string         `doc:"url"`
	StartTLS                   bool           `doc:"startTLS"`
	CertificateAuthority       string         `doc:"certificateAuthority"`
	InsecureSkipVerify         bool           `doc:"insecureSkipVerify"`
	TimeoutSeconds             int            `doc:"timeoutSeconds"`
	BindDN                     string         `doc:"bindDN"`
	BindPassword               string         `doc:"bindPassword"`
	BindPasswordFile           string         `doc:"bindPasswordFile"`
	ConnPool                   ldapPool       `doc:"connPool"`
	BaseDN                     string         `doc:"baseDN"`
	Attribute                  string         `doc:"attribute"`
	SearchFilter               string         `doc:"searchFilter"`
	Groups                     []string       `doc:"groups"`
	GroupFilter                string         `doc:"groupFilter"`
	CacheFor                   *time.Duration `doc:"cacheFor"`
	ForwardUsername            bool           `doc:"forwardUsername"`
	ForwardUsernameHeader      string         `doc:"forwardUsernameHeader"`
	UsernameAttribute          string         `doc:"usernameAttribute"`
	ForwardAuthorization       bool           `doc:"forwardAuthorization"`
	WWWAuthenticateHeader      *bool          `doc:"wwwAuthenticateHeader"`
	WWWAuthenticateHeaderRealm string         `doc:"wwwAuthenticateHeaderRealm"`
}

type ldapPool struct {
	Size  *int          `doc:"size"`
	Burst *int          `doc:"burst"`
	TTL   time.Duration `doc:"ttl"`
}

func (*ldap) gaps() []gap { return nil }

func (l *ldap) files() []string {
	return append(l.tls().files(), l.BindPasswordFile)
}

func (l *ldap) tls() *clientTLS {
	return &clientTLS{CA: l.CertificateAuthority, InsecureSkipVerify: l.InsecureSkipVerify}
}

func (l *ldap) build(at place, m *model.Middleware) {
	d := &model.LDAP{
		URL: l.URL, StartTLS: l.StartTLS,
		Server:       at.identityServer(serverClient{TimeoutSeconds: l.TimeoutSeconds}),
		BindDN:       l.BindDN,
		BindPassword: at.secret(l.BindPassword, "bindPassword", l.BindPasswordFile, "bindPasswordFile"),
		BaseDN:       l.BaseDN, Attribute: at.in("attribute").ldapAttribute(l.Attribute), Filter: l.SearchFilter,
		Groups: l.Groups, GroupFilter: l.GroupFilter,
		Keep: at.in("cacheFor").cacheFor(l.CacheFor), Pool: at.in("connPool").ldapPool(l.ConnPool),
		Realm:             at.in("wwwAuthenticateHeaderRealm").fieldValue(l.WWWAuthenticateHeaderRealm),
		Mute:              l.WWWAuthenticateHeader != nil && !*l.WWWAuthenticateHeader,
		NameAttribute:     at.in("usernameAttribute").ldapAttribute(l.UsernameAttribute),
		KeepAuthorization: l.ForwardAuthorization,
	}
	d.Server.TLS = &model.ClientTLS{
		CA: at.in("certificateAuthority").pem(l.CertificateAuthority), SkipVerify: l.InsecureSkipVerify,
	}
	if l.ForwardUsername || l.ForwardUsernameHeader != "" || l.UsernameAttribute != "" {
		d.NameHeader = "Username"
		if l.ForwardUsernameHeader != "" {
			d.NameHeader = at.in("forwardUsernameHeader").headerName(l.ForwardUsernameHeader)
		}
	}
	l.check(at)
	m.LDAP = d
}

func (l *ldap) check(at place) {
	u, err := url.Parse(l.URL)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.Scheme != "ldap" && u.Scheme != "ldaps":
		at.in("url").invalid("this is no address of a server; write it like ldaps://ldap.example")
	case l.StartTLS && u.Scheme == "ldaps":
		at.in("startTLS").invalid("startTLS is for ldap://; ldaps:// is TLS from the start")
	}
	if l.BaseDN == "" {
		at.in("baseDN").invalid("say what users are under, such as ou=people,dc=shop,dc=example")
	}
	if l.SearchFilter != "" && !strings.Contains(l.SearchFilter, "%s") {
		at.in("searchFilter").invalid("the filter finds the same entry for everybody; put %%s where the user's name goes")
	}
	if l.GroupFilter != "" && !strings.Contains(l.GroupFilter, "%s") && !strings.Contains(l.GroupFilter, "%d") {
		at.in("groupFilter").invalid(
			"the filter holds for everybody; put %%d where the name of the user's entry goes, or %%s for the user's name")
	}
	if l.UsernameAttribute != "" && l.SearchFilter == "" {
		at.in("usernameAttribute").invalid("there is no entry to take it from; give searchFilter, too")
	}
	const most = 32
	if len(l.Groups) > most {
		at.in("groups").invalid("%d groups are too many; %d are the most, and groupFilter can do more", len(l.Groups), most)
	}
	if hasBind := l.BindPassword != "" || l.BindPasswordFile != ""; hasBind != (l.BindDN != "") {
		at.in("bindDN").invalid("give both bindDN and bindPassword (or bindPasswordFile), or none")
	}
}

// ldapAttribute checks the name of an attribute (RFC 4512 §1.4); "" stays "".
func (p place) ldapAttribute(name string) string {
	other := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != ';'
	}
	if strings.ContainsFunc(name, other) {
		p.invalid("%q is not the name of an attribute", name)
	}
	return name
}

func (p place) ldapPool(l ldapPool) model.LDAPPool {
	const most = 1000
	pool := model.LDAPPool{TTL: l.TTL}
	if n := l.Size; n != nil {
		if pool.Size = *n; *n < 1 || *n > most {
			p.in("size").invalid("%d is out of range; it is from 1 to %d", *n, most)
		}
	}
	if n := l.Burst; n != nil {
		switch pool.Burst = *n; {
		case *n == 0:
			pool.Burst = -1
		case *n < 0 || *n > most:
			p.in("burst").invalid("%d is out of range; it is from 0 to %d", *n, most)
		}
	}
	if l.TTL < 0 {
		p.in("ttl").invalid("%s is negative", l.TTL)
	}
	return pool
}
