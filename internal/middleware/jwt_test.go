package middleware

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/model"
)

const hmacSecret = "a secret of more than 32 bytes, for tests"

// signers are an issuer's keys: one of each kind.
type signers struct {
	rsa     *rsa.PrivateKey
	ecdsa   *ecdsa.PrivateKey
	ed25519 ed25519.PrivateKey
}

func newSigners(t testing.TB) *signers {
	t.Helper()
	s := new(signers)
	var errs [3]error
	s.rsa, errs[0] = rsa.GenerateKey(rand.Reader, 2048)
	s.ecdsa, errs[1] = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, s.ed25519, errs[2] = ed25519.GenerateKey(rand.Reader)
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// jwks is the set of the public keys, and of a secret.
func (s *signers) jwks(t testing.TB) []byte {
	t.Helper()
	data, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: s.rsa.Public(), KeyID: "rsa", Use: "sig"},
		{Key: s.ecdsa.Public(), KeyID: "ecdsa", Algorithm: "ES256"},
		{Key: s.ed25519.Public(), KeyID: "ed25519"},
		{Key: s.rsa.Public(), KeyID: "encryption", Use: "enc"},
		{Key: []byte(hmacSecret), KeyID: "secret"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Replace(data, []byte(`"keys":[`), []byte(`"keys":[{"kty":"new","kid":"rsa"},`), 1)
}

func pemOf(t testing.TB, key crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// sign makes a token. The head may be nil.
func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, head map[jose.HeaderKey]any, payload string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, &jose.SignerOptions{ExtraHeaders: head})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func kid(id string) map[jose.HeaderKey]any { return map[jose.HeaderKey]any{"kid": id} }

func base64url(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// usual are good claims.
func usual() string {
	return fmt.Sprintf(`{"iss":"https://issuer.example","aud":"shop","sub":"amy","exp":%d}`, time.Now().Unix()+300)
}

var bearer = model.TokenSource{Header: "Authorization", Scheme: "Bearer"}

// secretOnly trusts one secret.
func secretOnly() model.JWT {
	return model.JWT{Token: bearer, Trusted: []model.TokenIssuer{{Secret: model.NewSecret(hmacSecret)}}}
}

func serveJWT(t testing.TB, s *Set, spec model.JWT, r *http.Request) (*httptest.ResponseRecorder, *seen) {
	t.Helper()
	return exchange(build(t, s, model.Middleware{JWT: &spec}), r)
}

// rs256 signs with the key of the issuer that is trusted.
func (s *signers) rs256(t *testing.T, payload string) string {
	return sign(t, jose.RS256, s.rsa, kid("rsa"), payload)
}

// hostileHeads must not be admitted; each group has what says so. Trap is an address that nobody may fetch from.
func hostileHeads(t *testing.T, keys *signers, trap string) map[string]string {
	attacker, good, zeros := newSigners(t), usual(), base64url(strings.Repeat("\x00", 64))
	own := jose.JSONWebKey{Key: attacker.rsa.Public(), KeyID: "rsa"}
	parts := strings.Split(keys.rs256(t, good), ".")
	body, signature := parts[1], parts[2]
	asHMAC := func(key []byte, id string) string { return sign(t, jose.HS256, key, kid(id), good) }
	headed := func(key *rsa.PrivateKey, head map[jose.HeaderKey]any) string {
		return sign(t, jose.RS256, key, head, good)
	}
	return map[string]string{
		// RFC 8725 §2.1, §3.1; CVE-2015-9235
		"alg none":            base64url(`{"alg":"none"}`) + "." + base64url(good) + ".",
		"alg NoNe":            base64url(`{"alg":"NoNe"}`) + "." + base64url(good) + ".",
		"alg none, signed":    base64url(`{"alg":"none","kid":"rsa"}`) + "." + body + "." + signature,
		"no alg":              base64url(`{"kid":"rsa"}`) + "." + body + "." + signature,
		"alg of another kind": base64url(`{"alg":"ES256","kid":"rsa"}`) + "." + body + "." + signature,
		"no signature":        parts[0] + "." + body + ".",
		"another payload":     parts[0] + "." + base64url(strings.Replace(good, "amy", "root", 1)) + "." + signature,
		// RFC 8725 §2.1 (key confusion); CVE-2016-5431, CVE-2016-10555
		"public key in PEM as a secret": asHMAC([]byte(pemOf(t, keys.rsa.Public())), "rsa"),
		"public key in DER as a secret": asHMAC(x509.MarshalPKCS1PublicKey(&keys.rsa.PublicKey), "rsa"),
		"modulus as a secret":           asHMAC(keys.rsa.N.Bytes(), ""),
		// CVE-2022-21449 (r = s = 0)
		"psychic signature": base64url(`{"alg":"ES256","kid":"ecdsa"}`) + "." + body + "." + zeros,
		// RFC 7515 §4.1.2-4.1.6, RFC 8725 §3.10; CVE-2018-0114: a key that the token brings, or says where to fetch
		"jwk": headed(attacker.rsa, map[jose.HeaderKey]any{"jwk": own, "kid": "rsa"}),
		"jku": headed(attacker.rsa, map[jose.HeaderKey]any{"jku": trap, "kid": "rsa"}),
		"x5u": headed(attacker.rsa, map[jose.HeaderKey]any{"x5u": trap, "kid": "x"}),
		// RFC 8725 §3.10 (what a kid may do)
		"kid that is a path":   asHMAC([]byte(strings.Repeat("\x00", 32)), "../../../../dev/null"),
		"kid that is SQL":      asHMAC([]byte(strings.Repeat("k", 32)), "x' UNION SELECT 'kkkk' --"),
		"kid that is a shell":  headed(attacker.rsa, kid("|/usr/bin/id")),
		"kid of another key":   headed(keys.rsa, kid("ecdsa")),
		"key for encryption":   headed(keys.rsa, kid("encryption")),
		"kid that is a number": base64url(`{"alg":"RS256","kid":1}`) + "." + body + "." + signature,
		// RFC 7515 §4.1.11, RFC 7797 §7
		"crit":          headed(keys.rsa, map[jose.HeaderKey]any{"crit": []string{"x"}, "x": 1, "kid": "rsa"}),
		"crit, empty":   headed(keys.rsa, map[jose.HeaderKey]any{"crit": []string{}, "kid": "rsa"}),
		"b64":           headed(keys.rsa, map[jose.HeaderKey]any{"crit": []string{"b64"}, "b64": true, "kid": "rsa"}),
		"two algs":      base64url(`{"alg":"RS256","alg":"none","kid":"rsa"}`) + "." + body + "." + signature,
		"head, no JSON": base64url(`alg`) + "." + body + "." + signature,
	}
}

// hostileClaims are signed well, and must not be admitted.
func hostileClaims(t *testing.T, keys *signers) map[string]string {
	now, good := time.Now().Unix(), usual()
	rs256 := func(payload string) string { return keys.rs256(t, payload) }
	claims := func(format string, args ...any) string { // with those that are needed
		return rs256(`{"iss":"https://issuer.example","aud":"shop",` + fmt.Sprintf(format, args...) + "}")
	}
	return map[string]string{
		// RFC 7519 §4.1.4, §4.1.5; RFC 8725 §3.9
		"expired":           claims(`"exp":%d`, now-31),
		"no expiry":         rs256(`{"iss":"https://issuer.example","aud":"shop"}`),
		"expiry in text":    claims(`"exp":"%d"`, now+300),
		"expiry never":      claims(`"exp":1e300`),
		"expiry negative":   claims(`"exp":-1`),
		"expiry null":       claims(`"exp":null`),
		"not yet":           claims(`"exp":%d,"nbf":%d`, now+300, now+60),
		"nbf in text":       claims(`"exp":%d,"nbf":"0"`, now+300),
		"from the future":   claims(`"exp":%d,"iat":%d`, now+300, now+60),
		"another audience":  rs256(fmt.Sprintf(`{"iss":"https://issuer.example","aud":"admin","exp":%d}`, now+300)),
		"no audience":       rs256(fmt.Sprintf(`{"iss":"https://issuer.example","exp":%d}`, now+300)),
		"audiences, nested": rs256(fmt.Sprintf(`{"iss":"https://issuer.example","aud":[["shop"]],"exp":%d}`, now+300)),
		"another issuer":    rs256(fmt.Sprintf(`{"iss":"https://evil.example","aud":"shop","exp":%d}`, now+300)),
		"issuers, list":     rs256(fmt.Sprintf(`{"iss":["https://issuer.example"],"aud":"shop","exp":%d}`, now+300)),
		"issuer, longer":    rs256(fmt.Sprintf(`{"iss":"https://issuer.example/","aud":"shop","exp":%d}`, now+300)),
		"no issuer":         rs256(fmt.Sprintf(`{"aud":"shop","exp":%d}`, now+300)),
		// RFC 7519 §4: names are unique; RFC 8725 §3.4
		"two subjects":     rs256(good[:len(good)-1] + `,"sub":"root"}`),
		"two expiries":     rs256(fmt.Sprintf(`{"exp":1,"iss":"https://issuer.example","aud":"shop","exp":%d}`, now+300)),
		"Exp in capitals":  claims(`"Exp":%d`, now+300),
		"claims, list":     rs256(`[` + good + `]`),
		"claims, null":     rs256(`null`),
		"claims, twice":    rs256(good + good),
		"claims, not JSON": rs256(`amy`),
		"claims, deep":     rs256(strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000)),
	}
}

// hostileForms are no tokens of the form that is admitted.
func hostileForms(t *testing.T, keys *signers) map[string]string {
	good := usual()
	token := keys.rs256(t, good)
	parts := strings.Split(token, ".")
	body, signature := parts[1], parts[2]
	return map[string]string{
		// RFC 7515 §7.1: three parts of base64url, and nothing else
		"line feed at the end": token + "\n",
		"white space inside":   parts[0] + ". " + body + "." + signature,
		"padding":              parts[0] + "=." + body + "." + signature,
		"two parts":            parts[0] + "." + body,
		"four parts":           token + ".",
		"JSON form":            `{"payload":"` + body + `","protected":"` + parts[0] + `","signature":"` + signature + `"}`,
		"huge":                 keys.rs256(t, `{"x":"`+strings.Repeat("a", maxToken)+`",`+good[1:]),
		// RFC 8725 §2.3, §3.6; CVE-2024-28180: an encrypted token, one that is a bomb
		"encrypted":        encrypted(t, &keys.rsa.PublicKey, parts[0]+"."+body+"."+signature),
		"bomb, compressed": base64url(`{"alg":"RS256","kid":"rsa","zip":"DEF"}`) + "." + base64url(bomb(t)) + "." + signature,
	}
}

// The issuer has keys of every kind, in a set with ids, so that each has the best chance.
func TestJWTRefusesHostileTokens(t *testing.T) {
	keys := newSigners(t)
	fetched := new(atomic.Int32)
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fetched.Add(1) }))
	defer trap.Close()
	spec := model.JWT{Token: bearer, Audience: []string{"shop"}, Trusted: []model.TokenIssuer{
		{Issuer: "https://issuer.example", Keys: model.NewSecret(string(keys.jwks(t)))},
	}}
	s := NewSet(Options{})
	hostile := hostileHeads(t, keys, trap.URL)
	maps.Copy(hostile, hostileClaims(t, keys))
	maps.Copy(hostile, hostileForms(t, keys))
	for name, token := range hostile {
		t.Run(name, func(t *testing.T) {
			w, got := serveJWT(t, s, spec, request("/", "Authorization: Bearer "+token))
			checkRefused(t, w, got, `Bearer realm="fairlead", error="invalid_token"`)
		})
	}
	good, now := usual(), time.Now().Unix()
	for _, token := range []string{
		keys.rs256(t, good), sign(t, jose.PS512, keys.rsa, nil, good), sign(t, jose.ES256, keys.ecdsa, kid("ecdsa"), good),
		sign(t, jose.EdDSA, keys.ed25519, kid("ed25519"), good),
		sign(t, jose.HS256, []byte(hmacSecret), kid("secret"), good),
		keys.rs256(t, fmt.Sprintf(
			`{"iss":"https://issuer.example","aud":["x","shop"],"exp":%d.5,"nbf":%d}`, now-5, now+5)),
	} {
		if w, got := serveJWT(t, s, spec, request("/", "Authorization: Bearer "+token)); got == nil {
			t.Errorf("a good token is refused with %d", w.Code)
		}
	}
	if n := fetched.Load(); n != 0 {
		t.Errorf("%d requests to where a token said", n)
	}
}

func encrypted(t *testing.T, key *rsa.PublicKey, content string) string {
	t.Helper()
	e, err := jose.NewEncrypter(jose.A128GCM, jose.Recipient{Algorithm: jose.RSA_OAEP, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	o, err := e.Encrypt([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	token, err := o.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func bomb(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(make([]byte, 8<<20))
	_ = w.Close()
	return b.String()
}

// A key of one issuer says nothing of the tokens of another.
func TestJWTKeysBelongToTheirIssuer(t *testing.T) {
	a, b := newSigners(t), newSigners(t)
	spec := model.JWT{Token: bearer, AllowNoExpiry: true, Trusted: []model.TokenIssuer{
		{Issuer: "a", Keys: model.NewSecret(pemOf(t, a.rsa.Public()))},
		{Issuer: "b", Keys: model.NewSecret(pemOf(t, b.ecdsa.Public()) + pemOf(t, b.ed25519.Public()))},
	}}
	s := NewSet(Options{})
	for token, want := range map[string]bool{
		sign(t, jose.RS256, a.rsa, nil, `{"iss":"a"}`):             true,
		sign(t, jose.ES256, b.ecdsa, nil, `{"iss":"b"}`):           true,
		sign(t, jose.EdDSA, b.ed25519, kid("any"), `{"iss":"b"}`):  true,
		sign(t, jose.RS256, a.rsa, nil, `{"iss":"b"}`):             false,
		sign(t, jose.ES256, b.ecdsa, kid("a"), `{"iss":"a"}`):      false,
		sign(t, jose.ES256, a.ecdsa, nil, `{"iss":"a","sub":"a"}`): false,
	} {
		if _, got := serveJWT(t, s, spec, request("/", "Authorization: Bearer "+token)); (got != nil) != want {
			t.Errorf("%s: admitted %t", token, got != nil)
		}
	}
}

func TestJWTUsesClaims(t *testing.T) {
	const claims = `{"grp":"admin","level":3,"ok":true,"roles":["a","b"],"odd":["a,b","c"],"scope":"read write",
		"realm":{"roles":["x"],"deep":{"v":1.50}},"https://a.example/r":"q","bad":"a\r\nX: y","name":"Zoë"}`
	good := sign(t, jose.HS256, []byte(hmacSecret), nil, claims)
	spec := secretOnly()
	spec.AllowNoExpiry = true
	spec.Forward = map[string]string{
		"X-Group": "grp", "X-Level": "level", "X-Ok": "ok", "X-Roles": "roles", "X-Odd": "odd", "X-Deep": "realm.deep",
		"X-V": "realm.deep.v", "X-Url": `https://a\.example/r`, "X-Bad": "bad", "X-None": "none", "X-Name": "name",
	}
	s := NewSet(Options{})
	_, got := serveJWT(t, s, spec,
		request("/", "Authorization: Bearer "+good, "X-Group: root", "X-None: root", "X_Bad: root"))
	if got == nil {
		t.Fatal("refused")
	}
	want := http.Header{
		"Authorization": {"Bearer " + good}, "X-Group": {"admin"}, "X-Level": {"3"}, "X-Ok": {"true"}, "X-Roles": {"a,b"},
		"X-Odd": {`["a,b","c"]`}, "X-Deep": {`{"v":1.50}`}, "X-V": {"1.50"}, "X-Url": {"q"}, "X-Name": {"Zoë"},
	}
	if diff := cmp.Diff(want, got.Header); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	is := func(test model.ClaimTest, claim string, values ...string) model.Claims {
		return model.Claims{Op: model.Is, Test: test, Claim: claim, Values: values}
	}
	group := is(model.ClaimEquals, "grp", "admin")
	wrong := is(model.ClaimEquals, "grp", "guest")
	for i, c := range []struct {
		claims model.Claims
		want   bool
	}{
		{model.Claims{}, true}, {group, true}, {wrong, false}, {is(model.ClaimEquals, "none", ""), false},
		{is(model.ClaimEquals, "level", "3"), true}, {is(model.ClaimEquals, "roles", "a"), false},
		{is(model.ClaimPrefix, "grp", "adm"), true}, {is(model.ClaimPrefix, "grp", "dm"), false},
		{is(model.ClaimContains, "roles", "b"), true}, {is(model.ClaimContains, "grp", "admin"), false},
		{is(model.ClaimContains, "realm.roles", "x"), true}, {is(model.ClaimContains, "grp.roles", "x"), false},
		{is(model.ClaimSplit, "scope", " ", "write"), true}, {is(model.ClaimSplit, "scope", " ", "rit"), false},
		{is(model.ClaimOneOf, "grp", "x", "admin"), true}, {is(model.ClaimOneOf, "grp", "x"), false},
		{model.Claims{Op: model.All, Of: []model.Claims{group, wrong}}, false},
		{model.Claims{Op: model.Any, Of: []model.Claims{wrong, group}}, true},
		{model.Claims{Op: model.Not, Of: []model.Claims{wrong}}, true},
		{model.Claims{Op: model.Not}, false},
	} {
		spec := spec
		spec.Claims = c.claims
		w, got := serveJWT(t, s, spec, request("/", "Authorization: Bearer "+good))
		if (got != nil) != c.want {
			t.Errorf("%d: admitted %t", i, got != nil)
		}
		challenge := w.Header().Get("WWW-Authenticate")
		if got == nil && (w.Code != http.StatusForbidden || !strings.Contains(challenge, "insufficient_scope")) {
			t.Errorf("%d: %d, %s", i, w.Code, challenge)
		}
	}
}

func TestJWTFindsTheToken(t *testing.T) {
	token := sign(t, jose.HS256, []byte(hmacSecret), nil, usual())
	other := sign(t, jose.HS256, []byte(hmacSecret), nil, usual()[1:])
	everywhere := model.TokenSource{Header: "Authorization", Scheme: "Bearer", Query: "jwt", Cookie: "jwt"}
	s := NewSet(Options{})
	for name, c := range map[string]struct {
		source model.TokenSource
		r      *http.Request
		want   bool
	}{
		"field":              {everywhere, request("/", "Authorization: bearer "+token), true},
		"query":              {everywhere, request("/?a=b&jwt=" + token), true},
		"cookie":             {everywhere, request("/", "Cookie: a=b; jwt="+token), true},
		"another scheme":     {everywhere, request("/", "Authorization: Basic "+token), false},
		"own field":          {model.TokenSource{Header: "X-Token"}, request("/", "X-Token: "+token), true},
		"nowhere":            {everywhere, request("/"), false},
		"in two places":      {everywhere, request("/?jwt="+other, "Authorization: Bearer "+token), false},
		"twice in the query": {everywhere, request("/?jwt=" + token + "&jwt=" + token), false},
		"twice in the field": {
			everywhere, request("/", "Authorization: Bearer "+token, "Authorization: Bearer "+other), false,
		},
		"twice in the cookies": {everywhere, request("/", "Cookie: jwt="+token, "Cookie: jwt="+token), false},
	} {
		t.Run(name, func(t *testing.T) {
			spec := secretOnly()
			spec.Token, spec.Strip = c.source, true
			w, got := serveJWT(t, s, spec, c.r)
			if (got != nil) != c.want {
				t.Fatalf("status %d", w.Code)
			}
			if got != nil && strings.Contains(fmt.Sprint(*got), token) {
				t.Errorf("the service sees the token: %v", *got)
			}
			if name == "nowhere" && w.Header().Get("WWW-Authenticate") != `Bearer realm="fairlead"` {
				t.Errorf("%v", w.Header())
			}
		})
	}
}

// The keys of a server outlive a reload, and what changes them does not.
func TestJWTFetchesKeys(t *testing.T) {
	keys := newSigners(t)
	fetched := new(atomic.Int32)
	var body atomic.Value
	body.Store(keys.jwks(t))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		_, _ = w.Write(body.Load().([]byte))
	}))
	defer server.Close()
	spec := model.JWT{Token: bearer, Trusted: []model.TokenIssuer{{URL: server.URL}}}
	s := NewSet(Options{})
	token := sign(t, jose.RS256, keys.rsa, kid("rsa"), usual())
	for range 3 { // each is a new generation
		if w, got := serveJWT(t, s, spec, request("/", "Authorization: Bearer "+token)); got == nil {
			t.Fatalf("status %d", w.Code)
		}
	}
	secret := sign(t, jose.HS256, []byte(hmacSecret), kid("secret"), usual())
	if _, got := serveJWT(t, s, spec, request("/", "Authorization: Bearer "+secret)); got != nil {
		t.Error("a secret that anybody can fetch is taken for one")
	}
	if n := fetched.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
	spec.Server.Timeout = time.Second // another definition
	body.Store([]byte(`{"keys":[` + strings.Repeat(" ", maxJWKS) + `]}`))
	w := &reasons{ResponseRecorder: httptest.NewRecorder()}
	handler := build(t, s, model.Middleware{JWT: &spec})(http.NotFoundHandler())
	handler.ServeHTTP(w, request("/", "Authorization: Bearer "+token))
	if w.Code != http.StatusBadGateway || w.reason != "auth_unreachable" {
		t.Errorf("with a huge set: %d, %s", w.Code, w.reason)
	}
}

func TestBuildSaysWhatIsWrongWithTokens(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	jwtOf := func(change func(*model.JWT)) model.Middleware {
		spec := secretOnly()
		change(&spec)
		return model.Middleware{JWT: &spec}
	}
	checkBad(t, map[string]badSpec{
		"nobody":  {jwtOf(func(j *model.JWT) { j.Trusted = nil }), "jwt: trusts nobody"},
		"nowhere": {jwtOf(func(j *model.JWT) { j.Token = model.TokenSource{} }), "jwt.tokenSource: says nowhere"},
		"secret": {jwtOf(func(j *model.JWT) { j.Trusted[0].Secret = model.NewSecret(leak) }),
			"jwt.signingSecret: is shorter"},
		"no key": {jwtOf(func(j *model.JWT) { j.Trusted[0] = model.TokenIssuer{Keys: model.NewSecret(leak)} }),
			"jwt.publicKey: has no key"},
		"weak key": {jwtOf(func(j *model.JWT) {
			j.Trusted[0] = model.TokenIssuer{Keys: model.NewSecret(pemOf(t, weak.Public()))}
		}), "jwt.publicKey: has no key"},
		"private key": {jwtOf(func(j *model.JWT) {
			j.Trusted[0] = model.TokenIssuer{Keys: model.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY"})))}
		}), "jwt.publicKey: has something in PEM"},
		"algorithm": {jwtOf(func(j *model.JWT) { j.Algorithms = []string{"RS256", "none"} }), "jwt.algorithms[1]: "},
		"field":     {jwtOf(func(j *model.JWT) { j.Forward = map[string]string{"Host": "h"} }), "jwt.forwardHeaders: "},
	})
}

func FuzzJWT(f *testing.F) {
	good := sign(f, jose.HS256, []byte(hmacSecret), nil, `{"exp":4000000000}`)
	f.Add(good)
	f.Add(base64url(`{"alg":"HS256"}`) + "." + base64url(`{}`) + ".")
	s := NewSet(Options{})
	spec := secretOnly()
	f.Fuzz(func(t *testing.T, token string) {
		_, got := serveJWT(t, s, spec, request("/", "Authorization: Bearer "+token))
		// The last character of a part may have bits that mean nothing.
		if got != nil && strings.Trim(token, " ")[:len(good)-1] != good[:len(good)-1] {
			t.Errorf("admitted: %q", token)
		}
	})
}
