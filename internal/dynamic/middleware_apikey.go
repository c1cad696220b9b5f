package dynamic

import (
	"encoding/hex"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/model"
)

type apiKey struct {
	Header         string   `doc:"header"`
	Query          string   `doc:"query"`
	Cookie         string   `doc:"cookie"`
	Hashes         []string `doc:"hashes"`
	HashesFile     string   `doc:"hashesFile"`
	Scope          string   `doc:"scope"`
	IdentityHeader string   `doc:"identityHeader"`
	KeepKey        bool     `doc:"keepKey"`
}

func (*apiKey) gaps() []gap       { return nil }
func (a *apiKey) files() []string { return []string{a.HashesFile} }

func (a *apiKey) build(at place, m *model.Middleware) {
	k := &model.APIKey{
		Header: at.in("header").headerName(a.Header), Query: a.Query, Cookie: a.Cookie,
		Scope: a.Scope, IdentityHeader: at.in("identityHeader").headerName(a.IdentityHeader), KeepKey: a.KeepKey,
	}
	if a.Header == "" && a.Query == "" && a.Cookie == "" {
		at.in("header").invalid("say where the key is: header, query or cookie")
	}
	if a.Cookie != "" && !httpguts.ValidHeaderFieldName(a.Cookie) { // both are tokens, RFC 6265 §4.1.1
		at.in("cookie").invalid("%q is not the name of a cookie", a.Cookie)
	}
	// Keys with other scopes are for the instance itself; a route that admitted them would get to see them.
	if name, ok := strings.CutPrefix(a.Scope, "route:"); a.Scope != "" && (!ok || name == "") {
		at.in("scope").invalid(`%q is no scope of a route; write "route:name"`, a.Scope)
	}
	for i, line := range at.in("hashesFile").lines(a.HashesFile) {
		k.Hashes = append(k.Hashes, at.in("hashesFile").hash(line, i))
	}
	for i, text := range a.Hashes {
		k.Hashes = append(k.Hashes, at.in("hashes", i).hash(text, i))
	}
	if len(k.Hashes) == 0 && a.Scope == "" && !at.in("hashesFile").isBlamed() {
		at.in("hashes").invalid("nobody could be admitted; give hashes, hashesFile or scope")
	}
	m.APIKey = k
}

func (p place) hash(text string, i int) model.Secret {
	text = strings.ToLower(strings.TrimSpace(text))
	if sum, err := hex.DecodeString(text); err != nil || len(sum) != 32 {
		p.invalid("hash %d is not the SHA-256 of a key in 64 hexadecimal digits", i+1)
	}
	return model.NewSecret(text)
}

// headerName returns the canonical name; "" stays "".
func (p place) headerName(name string) string {
	if name != "" && !httpguts.ValidHeaderFieldName(name) {
		p.invalid("%q is not the name of a header field", name)
	}
	return http.CanonicalHeaderKey(name)
}
