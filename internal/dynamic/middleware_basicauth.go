package dynamic

import (
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

type basicAuth struct {
	Users        []string `doc:"users"`
	UsersFile    string   `doc:"usersFile"`
	Realm        string   `doc:"realm"`
	HeaderField  string   `doc:"headerField"`
	RemoveHeader bool     `doc:"removeHeader"`
}

func (*basicAuth) gaps() []gap       { return nil }
func (b *basicAuth) files() []string { return []string{b.UsersFile} }

func (b *basicAuth) build(at place, m *model.Middleware) {
	a := &model.BasicAuth{
		Realm: b.Realm, HeaderField: at.in("headerField").headerName(b.HeaderField), RemoveHeader: b.RemoveHeader,
	}
	if strings.ContainsAny(b.Realm, "\"\\") || plain(b.Realm) != nil {
		at.in("realm").invalid(`the realm cannot hold quotes, "\" or control characters`)
	}
	for i, line := range at.in("usersFile").lines(b.UsersFile) {
		a.Users = append(a.Users, at.in("usersFile").user(line, i))
	}
	for i, line := range b.Users {
		a.Users = append(a.Users, at.in("users", i).user(line, i))
	}
	if len(a.Users) == 0 && !at.in("usersFile").isBlamed() {
		at.in("users").invalid("nobody could be admitted; give users or usersFile")
	}
	m.BasicAuth = a
}

// user checks a line "name:hash" as htpasswd writes it.
func (p place) user(line string, i int) model.Secret {
	line = strings.TrimSpace(line)
	name, hash, ok := strings.Cut(line, ":")
	switch {
	case !ok || name == "":
		p.invalid("user %d is not of the form name:hash", i+1)
	case !hashed(hash):
		p.invalid("the password of user %d is not hashed in a way that is supported (bcrypt, apr1 or SHA1); "+
			"make the line with htpasswd -nB", i+1)
	}
	return model.NewSecret(line)
}

func hashed(s string) bool {
	for _, prefix := range []string{"$2a$", "$2b$", "$2y$", "$apr1$", "{SHA}"} {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}
