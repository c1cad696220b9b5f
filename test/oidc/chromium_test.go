package oidc_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
)

// visitor is a person with a real browser.
type visitor struct {
	*browser
	w *world
}

func (v *visitor) signIn(name, page string) {
	v.t.Helper()
	v.open(v.w.secure + page)
	v.arrives(v.w.issuer + "/interaction/")
	v.write("input[name=login]", name)
	v.write("input[name=password]", "any")
	v.click("button[type=submit]")
	v.click("button[type=submit]") // consent
	v.arrives(v.w.secure + page)
	v.sees(name, page)
}

func (v *visitor) sees(name, page string) {
	v.t.Helper()
	if got := v.text(); !strings.HasPrefix(got, page+` for ["`+name+`"]`) {
		v.t.Fatalf("at %s: %s; want %s for %s", v.at(), got, page, name)
	}
}

// fetch is what scripts of the page do. It returns the status of the answer.
func (v *visitor) fetch(method, page, token string) string {
	v.t.Helper()
	return v.run(`const [method, page, token] = arguments;
		const headers = token ? { 'TraefikHub-Csrf-Token': token } : {};
		return fetch(page, { method, headers }).then((answer) => String(answer.status))`, method, page, token)
}

// A person signs in, works, and signs out, in Chromium.
func testChromium(t *testing.T, w *world) {
	// The certificate is as good as any other to it: what it does for hosts that it trusts, it is to do.
	v := &visitor{openBrowser(t, "--ignore-certificate-errors-spki-list="+w.fairlead.KeyHash(t)), w}
	v.signIn("amy", "/orders?a=b%20c")
	v.open(w.secure + "/cart")
	v.sees("amy", "/cart")
	v.hasGoodCookies()

	// The script of docs/middlewares/oidc.md.
	token := v.run("return document.cookie.match(/(?:^|; )traefikee-csrf-token=([^;]*)/)[1]")
	for sent, want := range map[string]string{"": "403", "planted": "403", token: "200"} {
		if got := v.fetch(http.MethodPost, "/cart", sent); got != want {
			t.Errorf("a script that sends the token %q gets %s, want %s", sent, got, want)
		}
	}
	v.comesFromAnotherSite()
	v.signsOut()
}

// hasGoodCookies looks at what the browser has kept.
func (v *visitor) hasGoodCookies() {
	v.t.Helper()
	names := map[string]bool{}
	for _, c := range v.cookies() {
		session := strings.HasPrefix(c.Name, "__Host-fairlead-")
		names[c.Name] = true
		if !session && c.Name != "traefikee-csrf-token" || c.HTTPOnly != session || !c.Secure || c.SameSite != "Lax" ||
			c.Path != "/" || c.Domain != "localhost" || time.Until(time.Unix(c.Expiry, 0)) > 24*time.Hour {
			v.t.Errorf("a cookie is %+v", c)
		}
	}
	if len(names) != 2 {
		v.t.Errorf("there are the cookies %v, want one of the session and one with the token", names)
	}
	if scripts := v.run("return document.cookie"); strings.Contains(scripts, "fairlead") {
		v.t.Errorf("scripts see %s", scripts)
	}
}

// comesFromAnotherSite follows a link of one, and sends a form of it.
func (v *visitor) comesFromAnotherSite() {
	v.t.Helper()
	const link = `const a = document.createElement('a'); a.href = arguments[0];
		document.body.append(a); a.click(); return ''`
	const form = `const f = document.createElement('form'); f.method = 'post'; f.action = arguments[0];
		document.body.append(f); f.submit(); return ''`
	v.open(v.w.service + "/")
	v.run(link, v.w.secure+"/orders")
	v.arrives(v.w.secure + "/orders")
	v.sees("amy", "/orders")
	v.open(v.w.service + "/")
	v.run(form, v.w.secure+"/sent-by-another-site")
	v.w.fairlead.AwaitLine(v.t, "the form", func(line instance.Line) bool {
		return line.Method == http.MethodPost && line.Path == "/sent-by-another-site" &&
			line.Status == http.StatusUnauthorized
	})
}

func (v *visitor) signsOut() {
	v.t.Helper()
	v.open(v.w.secure + "/orders")
	v.sees("amy", "/orders")
	v.open(v.w.secure + "/logout")
	v.click("button[name=logout]")
	v.arrives(v.w.secure + "/bye")
	if left := v.cookies(); len(left) > 0 {
		v.t.Errorf("after the logout there are %+v", left)
	}
	v.back()
	v.back()
	if strings.Contains(v.text(), "amy") {
		v.t.Errorf("the button for back shows, at %s: %s", v.at(), v.text())
	}
	v.open(v.w.secure + "/orders")
	v.arrives(v.w.issuer + "/interaction/")
	v.reload()
	v.arrives(v.w.issuer + "/interaction/")
}
