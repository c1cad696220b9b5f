package middleware

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dunglas/httpsfv"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/fairlead/fairlead/internal/model"
)

// rfc9421 returns the keys, and the signatures by label, of RFC 9421 appendix B.
func rfc9421(t testing.TB) (keys []model.SignatureKey, inputs, signatures map[string]string) {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/rfc9421.txtar")
	if err != nil {
		t.Fatal(err)
	}
	inputs, signatures = map[string]string{}, map[string]string{}
	for _, f := range archive.Files {
		text := strings.TrimSpace(string(f.Data))
		if algorithm, isKey := strings.CutPrefix(f.Name, "test-"); isKey {
			id, algorithm, _ := strings.Cut(algorithm, " ")
			key := model.SignatureKey{ID: "test-" + id, Algorithm: algorithm, PublicKey: text}
			if algorithm == "hmac-sha256" {
				raw, err := base64.StdEncoding.DecodeString(text)
				if err != nil {
					t.Fatal(err)
				}
				key.PublicKey, key.Secret = "", model.NewSecret(string(raw))
			}
			keys = append(keys, key)
			continue
		}
		inputs[f.Name], signatures[f.Name], _ = strings.Cut(text, "\n")
	}
	return keys, inputs, signatures
}

// rfcRequest is that of appendix B.2.
func rfcRequest() *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://example.com/foo?param=Value&Pet=dog",
		strings.NewReader(`{"hello": "world"}`))
	r.Header.Set("Date", "Tue, 20 Apr 2021 02:07:55 GMT")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Content-Digest", "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyea"+
		"ldVLvRwEmTHWXvJwew==:")
	return r
}

// The requests of appendix B.2 are taken at the time when they were made, and no other: not with one letter of a
// covered component changed, and not an hour later.
func TestHTTPSignatureAppendixB(t *testing.T) {
	keys, inputs, signatures := rfc9421(t)
	for _, label := range []string{"sig-b21", "sig-b22", "sig-b23", "sig-b25", "sig-b26"} {
		t.Run(label, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Unix(1618884480, 0)))
				spec := model.HTTPSignature{Keys: keys, AnyBody: label != "sig-b22" && label != "sig-b23"}
				status := func(change func(*http.Request)) int {
					r := rfcRequest()
					r.Header.Set("Signature-Input", label+"="+inputs[label])
					r.Header.Set("Signature", label+"=:"+signatures[label]+":")
					change(r)
					w, _ := exchange(build(t, NewSet(Options{}), model.Middleware{HTTPSignature: &spec}), r)
					return w.Code
				}
				if code := status(func(*http.Request) {}); code != 200 {
					t.Errorf("status %d", code)
				}
				if code := status(func(r *http.Request) { r.Host = "example.org" }); code != 401 && label != "sig-b21" {
					t.Errorf("another host: status %d", code)
				}
				if code := status(func(r *http.Request) {
					r.Header.Set("Signature-Input", strings.Replace(r.Header.Get("Signature-Input"), "473", "474", 1))
				}); code != 401 {
					t.Errorf("another time: status %d", code)
				}
				time.Sleep(time.Hour)
				if code := status(func(*http.Request) {}); code != 401 {
					t.Errorf("an hour later: status %d", code)
				}
			})
		})
	}
	// B.2.4 is about an answer.
	key, err := newSignatureKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	base := "\"@status\": 200\n\"content-type\": application/json\n\"content-digest\": sha-512=:mEWXIS7MaLRuGgxOBdODa3x" +
		"qM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:\n\"content-length\": 23\n" +
		`"@signature-params": ` + inputs["sig-b24"]
	value, err := base64.StdEncoding.DecodeString(signatures["sig-b24"])
	if err != nil || !key["test-key-ecc-p256"].verify([]byte(base), value) ||
		key["test-key-ecc-p256"].verify([]byte(base+" "), value) {
		t.Error("B.2.4")
	}
}

// The examples of RFC 9421 §2.1 and §2.2, and what is no component of a request.
func TestSignatureComponents(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "https://WWW.Example.com:443/a%2fb"+
		"?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace"+
		"&fa%C3%A7ade%22%3A%20=something&qux=&twice=1&twice=2", nil)
	r.Header["Example-Header"] = []string{"value, with, lots", " of, commas "}
	r.Header["Example-Dict"] = []string{" a=1,    b=2;x=1;y=2,   c=(a   b   c), d"}
	r.Header["Empty"] = []string{""}
	for identifier, want := range map[string]string{
		`"@method"`:                 "GET",
		`"@scheme"`:                 "https",
		`"@authority"`:              "www.example.com",
		`"@path"`:                   "/a%2fb",
		`"@query-param";name="var"`: "this%20is%20a%20big%0Amultiline%20value",
		`"@query-param";name="bar"`: "with%20plus%20whitespace",
		`"@query-param";name="fa%C3%A7ade%22%3A%20"`: "something",
		`"@query-param";name="qux"`:                  "",
		`"example-header"`:                           "value, with, lots, of, commas",
		`"example-header";bs`:                        ":dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:",
		`"example-dict";key="a"`:                     "1",
		`"example-dict";key="b"`:                     "2;x=1;y=2",
		`"example-dict";key="c"`:                     "(a b c)",
		`"example-dict";key="d"`:                     "?1",
		`"empty"`:                                    "",
		`"host"`:                                     "WWW.Example.com:443",
		`"missing"`:                                  "none",
		`"Empty"`:                                    "none",
		`"example-dict";key="e"`:                     "none",
		`"example-dict";sf`:                          "none",
		`"example-header";key="a"`:                   "none",
		`"empty";req`:                                "none",
		`"empty";tr`:                                 "none",
		`"empty";bs;key="a"`:                         "none",
		`"@query-param";name="twice"`:                "none",
		`"@query-param";name="missing"`:              "none",
		`"@query-param"`:                             "none",
		`"@status"`:                                  "none",
		`"@method";req`:                              "none",
		`"@signature-params"`:                        "none",
		`@method`:                                    "none",
		`"empty" "empty"`:                            "none",
	} {
		inputs, err := httpsfv.UnmarshalDictionary([]string{"a=(" + identifier + ")"})
		if err != nil {
			if want != "none" {
				t.Errorf("%s: %v", identifier, err)
			}
			continue
		}
		list, _ := inputs.Get("a")
		base, _, err := signatureBase(r, list.(httpsfv.InnerList))
		expected := identifier + ": " + want + "\n\"@signature-params\": (" + identifier + ")"
		if want == "none" && err == nil || want != "none" && string(base) != expected {
			t.Errorf("%s: %v\n%s\nwant\n%s", identifier, err, base, expected)
		}
	}
}

const signedSecret = "a secret of more than 32 bytes, for tests"

// order is a request that is signed: what is said here of its components is not what the product makes of them.
func order(params string) *http.Request {
	const body = "two apples"
	sum := sha256.Sum256([]byte(body))
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	r := httptest.NewRequest(http.MethodPost, "http://shop.example/orders?id=1", strings.NewReader(body))
	r.Header.Set("Content-Digest", digest)
	input := `("@method" "@authority" "@path" "@query" "content-digest")` + params
	h := hmac.New(sha256.New, []byte(signedSecret))
	_, _ = fmt.Fprintf(h, "\"@method\": POST\n\"@authority\": shop.example\n\"@path\": /orders\n\"@query\": ?id=1\n"+
		"\"content-digest\": %s\n\"@signature-params\": %s", digest, input)
	r.Header.Set("Signature-Input", "mine="+input)
	r.Header.Set("Signature", "mine=:"+base64.StdEncoding.EncodeToString(h.Sum(nil))+":")
	return r
}

func TestHTTPSignature(t *testing.T) {
	spec := model.HTTPSignature{
		Keys: []model.SignatureKey{{ID: "shop", Algorithm: "hmac-sha256", Secret: model.NewSecret(signedSecret)}},
		// as the dynamic format has it
		Covered: []string{"@method", "@authority", "@path", "@query"}, MaxBody: 100, IdentityHeader: "X-Key",
	}
	now := time.Now().Unix()
	good := fmt.Sprintf(`;created=%d;keyid="shop"`, now)
	for name, c := range map[string]struct {
		params string
		change func(*http.Request)
		want   int
	}{
		"as it is":      {good, func(r *http.Request) { r.Header.Set("X-Key", "root") }, 200},
		"alg agrees":    {good + `;alg="hmac-sha256"`, nil, 200},
		"nonce":         {good + `;nonce="a"`, nil, 200},
		"expires later": {good + fmt.Sprintf(`;expires=%d`, now+100), nil, 200},
		"another signature, too": {good, func(r *http.Request) {
			r.Header["Signature-Input"] = []string{`other=();created=1;keyid="x"`, r.Header.Get("Signature-Input")}
			r.Header["Signature"] = []string{"other=:AAAA:", r.Header.Get("Signature")}
		}, 200},
		"method":        {good, func(r *http.Request) { r.Method = http.MethodPut }, 401},
		"host":          {good, func(r *http.Request) { r.Host = "admin.example" }, 401},
		"path":          {good, func(r *http.Request) { r.URL.Path = "/Orders" }, 401},
		"query":         {good, func(r *http.Request) { r.URL.RawQuery = "id=2" }, 401},
		"no query":      {good, func(r *http.Request) { r.URL.RawQuery = "" }, 401},
		"body":          {good, func(r *http.Request) { r.Body = http.NoBody; r.ContentLength = 0 }, 401},
		"digest":        {good, func(r *http.Request) { r.Header.Set("Content-Digest", "sha-256=:AAAA:") }, 401},
		"second digest": {good, func(r *http.Request) { r.Header.Add("Content-Digest", "sha-512=:AAAA:") }, 401},
		"no digest":     {good, func(r *http.Request) { r.Header.Del("Content-Digest") }, 401},
		"huge body": {good, func(r *http.Request) {
			long := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat("a", 101)))
			r.Body, r.ContentLength = long.Body, long.ContentLength
		}, 413},
		"created":         {good, swap(fmt.Sprint(now), fmt.Sprint(now+1)), 401},
		"component":       {good, swap(` "@query"`, ""), 401},
		"order":           {good, swap(`"@path" "@query"`, `"@query" "@path"`), 401},
		"component twice": {good, swap(`("@method"`, `("@method" "@method"`), 401},
		"another label":   {good, swap("mine=", "yours="), 401},
		"no signature":    {good, func(r *http.Request) { r.Header.Del("Signature") }, 401},
		"no input":        {good, func(r *http.Request) { r.Header.Del("Signature-Input") }, 401},
		"nonsense":        {good, func(r *http.Request) { r.Header.Set("Signature-Input", "mine=((") }, 401},
		"no list":         {good, func(r *http.Request) { r.Header.Set("Signature-Input", `mine="a"`) }, 401},
		"too long": {good, func(r *http.Request) {
			r.Header.Add("Signature-Input", `a=();x="`+strings.Repeat("x", maxSignatureFields)+`"`)
		}, 401},
		"too many": {good, func(r *http.Request) {
			for i := range maxSignatures {
				r.Header.Add("Signature-Input", fmt.Sprintf("a%d=()", i))
			}
		}, 401},
		"no key":          {fmt.Sprintf(`;created=%d`, now), nil, 401},
		"unknown key":     {fmt.Sprintf(`;created=%d;keyid="x"`, now), nil, 401},
		"key is a number": {fmt.Sprintf(`;created=%d;keyid=1`, now), nil, 401},
		"no created":      {`;keyid="shop"`, nil, 401},
		"old":             {fmt.Sprintf(`;created=%d;keyid="shop"`, now-1000), nil, 401},
		"future":          {fmt.Sprintf(`;created=%d;keyid="shop"`, now+1000), nil, 401},
		"expired":         {good + fmt.Sprintf(`;expires=%d`, now-100), nil, 401},
		"expires no time": {good + `;expires="never"`, nil, 401},
		"alg":             {good + `;alg="hmac-sha512"`, nil, 401},
		"nonce no text":   {good + `;nonce=1`, nil, 401},
		"nonce empty":     {good + `;nonce=""`, nil, 401},
		"nonce long":      {good + `;nonce="` + strings.Repeat("a", maxNonceLength+1) + `"`, nil, 401},
	} {
		t.Run(name, func(t *testing.T) {
			r := order(c.params)
			if c.change != nil {
				c.change(r)
			}
			w, got := exchange(build(t, NewSet(Options{}), model.Middleware{HTTPSignature: &spec}), r)
			if w.Code != c.want || (got != nil) != (c.want == 200) {
				t.Fatalf("status %d, want %d", w.Code, c.want)
			}
			if got != nil && got.Header.Get("X-Key") != "shop" {
				t.Errorf("the service sees %v", got.Header)
			}
			const offer = `fairlead=("@method" "@authority" "@path" "@query");created`
			if c.want == 401 && w.Header().Get("Accept-Signature") != offer {
				t.Errorf("Accept-Signature %s", w.Header().Get("Accept-Signature"))
			}
		})
	}
}

// swap changes what a signature says of itself.
func swap(old, by string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Signature-Input", strings.Replace(r.Header.Get("Signature-Input"), old, by, 1))
	}
}

// A signature with a nonce can be used once, also after a change of the configuration; one that is refused for another
// reason uses nothing up.
func TestHTTPSignatureIsUsedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSet(Options{})
		spec := model.HTTPSignature{
			Keys:      []model.SignatureKey{{ID: "shop", Algorithm: "hmac-sha256", Secret: model.NewSecret(signedSecret)}},
			Covered:   []string{"@method", "@authority", "@path", "@query"},
			NeedNonce: true, Tag: "orders", Leeway: -1,
		}
		send := func(params string, change func(*http.Request)) int {
			r := order(params)
			change(r)
			w, _ := exchange(build(t, s, model.Middleware{HTTPSignature: &spec}), r)
			return w.Code
		}
		as := func(*http.Request) {}
		params := func(nonce string) string {
			return fmt.Sprintf(`;created=%d;keyid="shop";tag="orders"%s`, time.Now().Unix(), nonce)
		}
		first := params(`;nonce="1"`)
		for i, step := range []struct {
			params string
			change func(*http.Request)
			wait   time.Duration
			want   int
		}{
			{first, func(r *http.Request) { r.Body = http.NoBody; r.ContentLength = 0 }, 0, 401},
			{first, as, 0, 200},
			{first, as, 0, 401},
			{params(""), as, 0, 401},
			{strings.Replace(params(`;nonce="2"`), "orders", "others", 1), as, 0, 401},
			{params(`;nonce="2"`), as, 4 * time.Minute, 200},
			{first, as, time.Minute, 401},
			{first, as, 0, 401},
		} {
			if code := send(step.params, step.change); code != step.want {
				t.Errorf("step %d: status %d, want %d", i, code, step.want)
			}
			time.Sleep(step.wait)
		}
	})
}

func TestUsedNoncesAreBounded(t *testing.T) {
	u := &usedNonces{life: time.Minute}
	now := time.Now()
	for i := range maxUsedNonces {
		if got := u.use("a", fmt.Sprint(i), now); got != nonceIsNew {
			t.Fatalf("nonce %d: %d", i, got)
		}
	}
	if got := u.use("a", "another", now); got != noRoom {
		t.Errorf("one too many: %d", got)
	}
	if got := u.use("a", "0", now.Add(time.Minute)); got != nonceUsed {
		t.Errorf("of the time before: %d", got)
	}
	if got := u.use("b", "0", now.Add(time.Minute)); got != nonceIsNew {
		t.Errorf("of another key: %d", got)
	}
	if got := u.use("a", "0", now.Add(3*time.Minute)); got != nonceIsNew {
		t.Errorf("long after: %d", got)
	}
}

func publicPEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// The algorithms that appendix B has no signature of. A key is for its own only: no public key is a secret.
func TestSignatureKeys(t *testing.T) {
	message := []byte("message")
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(message)
	v15, err := rsa.SignPKCS1v15(nil, rsaKey, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	curveKey, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	long := sha512.Sum384(message)
	r, s, err := ecdsa.Sign(rand.Reader, curveKey, long[:])
	if err != nil {
		t.Fatal(err)
	}
	p384 := append(r.FillBytes(make([]byte, 48)), s.FillBytes(make([]byte, 48))...)
	rsaPEM, curvePEM := publicPEM(t, rsaKey.Public()), publicPEM(t, curveKey.Public())
	for algorithm, c := range map[string]struct {
		pem       string
		signature []byte
	}{"rsa-v1_5-sha256": {rsaPEM, v15}, "ecdsa-p384-sha384": {curvePEM, p384}} {
		verify, err := newVerifier("", model.SignatureKey{ID: "a", Algorithm: algorithm, PublicKey: c.pem})
		if err != nil || !verify(message, c.signature) || verify([]byte("other"), c.signature) ||
			verify(message, c.signature[1:]) || verify(message, nil) {
			t.Errorf("%s: %v", algorithm, err)
		}
	}
	secret := model.NewSecret(rsaPEM)
	for name, spec := range map[string]model.SignatureKey{
		"a key as a secret":  {ID: "a", Algorithm: "hmac-sha256", PublicKey: rsaPEM},
		"both":               {ID: "a", Algorithm: "hmac-sha256", PublicKey: rsaPEM, Secret: secret},
		"a secret as a key":  {ID: "a", Algorithm: "ed25519", Secret: secret},
		"short secret":       {ID: "a", Algorithm: "hmac-sha256", Secret: model.NewSecret("short")},
		"another algorithm":  {ID: "a", Algorithm: "ed25519", PublicKey: rsaPEM},
		"another curve":      {ID: "a", Algorithm: "ecdsa-p256-sha256", PublicKey: curvePEM},
		"unknown algorithm":  {ID: "a", Algorithm: "none", PublicKey: rsaPEM},
		"no name of the key": {Algorithm: "rsa-v1_5-sha256", PublicKey: rsaPEM},
		"two keys":           {ID: "a", Algorithm: "rsa-v1_5-sha256", PublicKey: rsaPEM + curvePEM},
	} {
		if _, err := newSignatureKeys([]model.SignatureKey{spec}); err == nil {
			t.Errorf("%s is taken", name)
		} else if strings.Contains(err.Error(), "BEGIN") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever a stranger sends: no panic, and no way in.
func FuzzHTTPSignature(f *testing.F) {
	keys, inputs, signatures := rfc9421(f)
	for label, input := range inputs {
		f.Add(label+"="+input, label+"=:"+signatures[label]+":", "sha-256=:AAAA:")
	}
	f.Add(`a=("x";key="a" "@query-param";name="b");created=1;keyid="test-shared-secret"`, "a=:AAAA:", "a=(b c), d;e=1")
	spec := model.HTTPSignature{Keys: keys}
	handler, err := NewSet(Options{}).Build(named(model.Middleware{HTTPSignature: &spec}), Use{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, input, signature, digest string) {
		r := rfcRequest()
		r.Header["Signature-Input"], r.Header["Signature"] = []string{input}, []string{signature}
		r.Header["Content-Digest"], r.Header["X"] = []string{digest}, []string{digest}
		if w, _ := exchange(handler, r); w.Code == http.StatusOK {
			t.Error("a signature of long ago, or none, was admitted")
		}
	})
}

// BenchmarkHTTPSignature is the price of a request with a good signature.
func BenchmarkHTTPSignature(b *testing.B) {
	spec := model.HTTPSignature{
		Keys:    []model.SignatureKey{{ID: "shop", Algorithm: "hmac-sha256", Secret: model.NewSecret(signedSecret)}},
		Covered: []string{"@method", "@authority", "@path", "@query"}, AnyBody: true,
	}
	h := build(b, NewSet(Options{}), model.Middleware{HTTPSignature: &spec})(http.NotFoundHandler())
	r := order(fmt.Sprintf(`;created=%d;keyid="shop"`, time.Now().Unix()))
	for b.Loop() {
		h.ServeHTTP(&discard{http.Header{}}, r)
	}
}
