package dynamic

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

type opa struct {
	URL             string            `doc:"url"`
	Policy          string            `doc:"policy"`
	BundlePath      string            `doc:"bundlePath"`
	Bundle          *opaBundle        `doc:"bundle"`
	Allow           string            `doc:"allow"`
	ForwardHeaders  map[string]string `doc:"forwardHeaders"`
	DecisionHeaders []string          `doc:"decisionHeaders"`
	Headers         []string          `doc:"headers"`
	Token           string            `doc:"token"`
	TokenFile       string            `doc:"tokenFile"`
	Verification    *opaVerification  `doc:"verification"`
	Timeout         time.Duration     `doc:"timeout"`
	Capabilities    opaCapabilities   `doc:"capabilities"`
	ClientConfig    serverClient      `doc:"clientConfig"`
}

type opaBundle struct {
	URL      string        `doc:"url"`
	Interval time.Duration `doc:"interval"`
	LongPoll time.Duration `doc:"longPoll"`
}

type opaVerification struct {
	Keys  map[string]opaKey `doc:"keys"`
	KeyID string            `doc:"keyID"`
	Scope string            `doc:"scope"`
}

type opaKey struct {
	Algorithm string `doc:"algorithm"`
	Key       string `doc:"key"`
	KeyFile   string `doc:"keyFile"`
}

type opaCapabilities struct {
	Builtins []string `doc:"builtins"`
	Hosts    []string `doc:"hosts"`
}

// opaAlgorithms are those that bundles can be signed with.
var opaAlgorithms = []string{
	"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
}

// reaching are the functions of Rego that reach out of a policy.
var reaching = []string{"http.send", "net.lookup_ip_addr", "opa.runtime"}

func (*opa) gaps() []gap { return serverGaps }

func (o *opa) files() []string {
	names := append(o.ClientConfig.TLS.files(), o.TokenFile, o.BundlePath)
	if !isRego(o.Policy) {
		names = append(names, o.Policy)
	}
	if o.Verification != nil {
		for _, key := range o.Verification.Keys {
			names = append(names, key.KeyFile)
		}
	}
	return names
}

// isRego tells a policy from the name of a file.
func isRego(text string) bool {
	return strings.Contains(text, "\n") || strings.HasPrefix(text, "package ")
}

func (o *opa) build(at place, m *model.Middleware) {
	spec := &model.OPA{
		Token:   at.secret(o.Token, "token", o.TokenFile, "tokenFile"),
		Headers: at.in("headers").headerNames(o.Headers),
		Decided: at.in("decisionHeaders").headerNames(o.DecisionHeaders),
		Server:  at.in("clientConfig").identityServer(o.ClientConfig),
		Allow:   o.Allow, Forward: o.ForwardHeaders, Timeout: o.Timeout,
		Builtins: o.Capabilities.Builtins, Hosts: o.Capabilities.Hosts,
	}
	m.OPA = spec
	for _, name := range sortedKeys(o.ForwardHeaders) {
		at.in("forwardHeaders", name).headerName(name)
	}
	at.in("timeout").notNegative(o.Timeout)
	for i, name := range o.Capabilities.Builtins {
		if !slices.Contains(reaching, name) {
			at.in("capabilities", "builtins", i).invalid("%q is not one of %s", name, strings.Join(reaching, ", "))
		}
	}
	o.verification(at.in("verification"), spec)
	o.origin(at, spec)
}

// origin reads where the policy is from.
func (o *opa) origin(at place, spec *model.OPA) {
	given := 0
	for _, is := range []bool{o.URL != "", o.Policy != "", o.BundlePath != "", o.Bundle != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		at.invalid("say where the policy is: one of url (of a server that is asked), policy, bundlePath and bundle")
		return
	}
	switch {
	case o.URL != "":
		spec.URL = at.in("url").serverURL(o.URL)
		if o.Allow != "" || len(o.ForwardHeaders) > 0 {
			at.in("allow").invalid("url says what is asked; allow and forwardHeaders are for policies that run here")
		}
	case o.BundlePath != "":
		spec.Archive = at.in("bundlePath").content(o.BundlePath, maxModule)
		sum := sha256.Sum256([]byte(spec.Archive))
		spec.Sum = hex.EncodeToString(sum[:])
	case o.Bundle != nil:
		b := at.in("bundle")
		b.in("interval").notNegative(o.Bundle.Interval)
		b.in("longPoll").notNegative(o.Bundle.LongPoll)
		spec.Bundle = &model.OPABundle{
			URL: b.in("url").serverURL(o.Bundle.URL), Interval: o.Bundle.Interval, LongPoll: o.Bundle.LongPoll,
		}
	case isRego(o.Policy):
		spec.Policy = o.Policy
	default:
		spec.Policy = at.in("policy").text(o.Policy)
	}
	if o.URL == "" && o.Policy == "" && o.Allow == "" && len(o.ForwardHeaders) == 0 {
		at.in("allow").invalid("say what is asked of the bundle, such as data.http.authz.allow")
	}
}

func (o *opa) verification(at place, spec *model.OPA) {
	if o.Verification == nil {
		return
	}
	v := &model.OPAVerification{Keys: map[string]model.OPAKey{}, KeyID: o.Verification.KeyID, Scope: o.Verification.Scope}
	for _, id := range sortedKeys(o.Verification.Keys) {
		key, in := o.Verification.Keys[id], at.in("keys", id)
		if !slices.Contains(opaAlgorithms, key.Algorithm) {
			in.in("algorithm").invalid("%q is not one of %s", key.Algorithm, strings.Join(opaAlgorithms, ", "))
		}
		v.Keys[id] = model.OPAKey{Algorithm: key.Algorithm, Key: in.secret(key.Key, "key", key.KeyFile, "keyFile")}
	}
	if len(v.Keys) == 0 || v.KeyID != "" && v.Keys[v.KeyID] == (model.OPAKey{}) {
		at.in("keys").invalid("give the keys that bundles are signed with, by their ids")
	}
	spec.Verification = v
}
