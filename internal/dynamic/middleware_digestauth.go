package dynamic

import (
	"encoding/hex"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

type digestAuth struct {
	Users        []string `doc:"users"`
	UsersFile    string   `doc:"usersFile"`
	Realm        string   `doc:"realm"`
	HeaderField  string   `doc:"headerField"`
	RemoveHeader bool     `doc:"removeHeader"`
}

func (*digestAuth) gaps() []gap       { return nil }
func (d *digestAuth) files() []string { return []string{d.UsersFile} }

func (d *digestAuth) build(at place, m *model.Middleware) {
	a := &model.DigestAuth{
		Realm: d.Realm, HeaderField: at.in("headerField").headerName(d.HeaderField), RemoveHeader: d.RemoveHeader,
	}
	if strings.ContainsAny(d.Realm, "\"\\") || plain(d.Realm) != nil {
		at.in("realm").invalid(`the realm cannot hold quotes, "\" or control characters`)
	}
	for i, line := range at.in("usersFile").lines(d.UsersFile) {
		a.Users = append(a.Users, at.in("usersFile").digestUser(line, i))
	}
	for i, line := range d.Users {
		a.Users = append(a.Users, at.in("users", i).digestUser(line, i))
	}
	if len(a.Users) == 0 && !at.in("usersFile").isBlamed() {
		at.in("users").invalid("nobody could be admitted; give users or usersFile")
	}
	m.DigestAuth = a
}

// digestUser checks a line "name:realm:hash" as htdigest writes it.
func (p place) digestUser(line string, i int) model.Secret {
	line = strings.TrimSpace(line)
	parts := strings.Split(line, ":")
	if len(parts) != 3 || parts[0] == "" {
		p.invalid("user %d is not of the form name:realm:hash; make the line with htdigest", i+1)
	} else if sum, err := hex.DecodeString(parts[2]); err != nil || len(sum) != 16 && len(sum) != 32 {
		p.invalid("user %d has no MD5 or SHA-256 in hexadecimal; make the line with htdigest", i+1)
	}
	return model.NewSecret(line)
}
