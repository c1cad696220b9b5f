package oidc_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// What somebody has put into a browser, or knows of it, before its login is no help afterwards (CWE-384).
func testSessionFixation(t *testing.T, w *world) {
	mallory, amy := w.person(), w.person()
	mallory.signIn("mallory")
	before := mallory.cookies()
	mallory.open(w.secure + "/logout")
	mallory.submit(url.Values{"logout": {"yes"}})

	amy.take(planted(before)...) // a session that mallory knows, and that has ended: she is to sign in
	amy.open(w.secure + "/orders")
	begun := amy.cookies() // mallory knows those of the login, too
	if len(begun) <= len(before) {
		t.Fatalf("a login has no cookie of its own: %v", begun)
	}
	amy.submit(url.Values{"login": {"amy"}, "password": {"any"}})
	amy.submit(url.Values{})
	amy.sees("amy", "/orders")
	for _, known := range [][]*http.Cookie{before, begun} {
		thief := w.person()
		thief.take(planted(known)...)
		if !thief.isStranger() {
			t.Errorf("signed in with cookies of before the login: %s", thief.page)
		}
	}
}

// A link signs nobody in as somebody else, and is good once (RFC 9700 §4.5, §4.7).
func testForeignLogins(t *testing.T, w *world) {
	mallory, amy := w.person(), w.person()
	link := mallory.almostIn("mallory")
	amy.open(link)
	amy.isRefused("the login of somebody else", http.StatusBadRequest)
	if !amy.isStranger() {
		t.Fatalf("signed in by a link: %s", amy.page)
	}
	amy.open(link)
	amy.isRefused("the login of somebody else, where one has begun", http.StatusBadRequest)

	back := amy.almostIn("amy")
	thief := w.person()
	thief.open(back)
	thief.isRefused("a login without its cookies", http.StatusBadRequest)
	begun := amy.cookies()
	amy.open(back)
	amy.sees("amy", "/")
	thief.take(planted(begun)...)
	thief.open(back)
	thief.isRefused("a login that has ended", http.StatusBadRequest)
}

// almostIn signs in at the provider, and returns the address that it sends the browser back to.
func (p *person) almostIn(name string) (back string) {
	p.t.Helper()
	p.open(p.secure + "/")
	p.submit(url.Values{"login": {name}, "password": {"any"}})
	p.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if back = r.URL.String(); r.URL.Path == "/callback" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	p.submit(url.Values{})
	p.client.CheckRedirect = nil
	return back
}

func testTamperedCookies(t *testing.T, w *world) {
	amy := w.person()
	amy.signIn("amy")
	name := amy.cookies()[0].Name
	value := amy.cookie(name)
	change := func(at int) string {
		with := "A"
		if value[at:at+1] == with {
			with = "B"
		}
		return value[:at] + with + value[at+1:]
	}
	for what, cookie := range map[string]http.Cookie{
		"the nonce":         {Name: name, Value: change(0)},
		"what is encrypted": {Name: name, Value: change(len(value) / 2)},
		"the tag":           {Name: name, Value: change(len(value) - 8)},
		"cut off":           {Name: name, Value: value[:len(value)-4]},
		"longer":            {Name: name, Value: value + "AAAA"},
		"a part more":       {Name: name + "_1", Value: "AAAA"},
		"another name":      {Name: name + "-login-AAAAAAAA", Value: value},
		"no base64":         {Name: name, Value: strings.Repeat("%", 64)},
		"empty":             {Name: name},
	} {
		thief := w.person()
		if strings.HasSuffix(cookie.Name, "_1") {
			thief.take(planted(amy.cookies())...)
		}
		thief.take(planted([]*http.Cookie{&cookie})...)
		if !thief.isStranger() {
			t.Errorf("%s: %d, %s", what, thief.status, thief.page)
		}
	}
	amy.open(w.secure + "/")
	amy.sees("amy", "/")
}

// planted are cookies as their browser has them: what a jar tells of them leaves out where they are for.
func planted(cookies []*http.Cookie) []*http.Cookie {
	var whole []*http.Cookie
	for _, c := range cookies {
		whole = append(whole, &http.Cookie{Name: c.Name, Value: c.Value, Path: "/", Secure: true})
	}
	return whole
}
