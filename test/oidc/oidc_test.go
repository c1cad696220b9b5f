package oidc_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/test/instance"
)

func TestOIDC(t *testing.T) {
	w := newWorld(t, "{}")
	for name, test := range map[string]func(*testing.T, *world){
		"sign in": testSignIn, "renewal and outage": testRenewalAndOutage, "renewal is refused": testRenewalIsRefused,
		"logout": testLogout, "back-channel logout": testBackchannelLogout, "forged requests": testForgedRequests,
		"no login": testNoLogin, "session fixation": testSessionFixation, "foreign logins": testForeignLogins,
		"tampered cookies": testTamperedCookies, "Chromium": testChromium,
	} {
		t.Run(name, func(t *testing.T) {
			own := *w
			own.t = t
			test(t, &own)
		})
	}
}

func testSignIn(t *testing.T, w *world) {
	amy, bob := w.person(), w.person()
	amy.signIn("amy")
	bob.signIn("bob")
	amy.open(w.secure + "/")
	amy.sees("amy", "/")
	told := w.scripts.Told("/", func(r *http.Request) { r.Header.Set("Sec-Fetch-Mode", "cors") })
	if told != "401 refused_by_oidc" {
		t.Errorf("a script is told %s", told)
	}
}

func testRenewalAndOutage(t *testing.T, w *world) {
	amy := w.person()
	amy.signIn("amy")
	amy.untilRenewed()
	amy.untilRenewed() // with the refresh token that the provider gave in place of the first

	w.tell("down")
	instance.Await(t, patience, "the provider is missed", func() bool {
		amy.open(w.secure + "/")
		amy.sees("amy", "/")
		return strings.Contains(w.fairlead.Log(), "cannot ask a server of identities")
	})
	amy.open(w.secure + "/")
	amy.sees("amy", "/")
	stranger := w.person()
	stranger.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if stranger.open(w.secure + "/"); stranger.status != http.StatusFound {
		t.Errorf("a stranger gets %d: where the provider is, is known", stranger.status)
	}
	w.tell("up")
	amy.untilRenewed()
}

// Who may not sign in any more is out when the tokens end.
func testRenewalIsRefused(t *testing.T, w *world) {
	amy, eve := w.person(), w.person()
	amy.signIn("amy")
	eve.signIn("eve")
	w.tell("ban eve")
	instance.Await(t, patience, "eve is out", func() bool {
		eve.send(http.MethodGet, "/", nil)
		return eve.status == http.StatusUnauthorized
	})
	amy.untilRenewed()
}

func testLogout(t *testing.T, w *world) {
	amy := w.person()
	amy.signIn("amy")
	thief := w.person()
	thief.take(amy.cookies()...)
	thief.open(w.secure + "/")
	thief.sees("amy", "/")

	amy.open(w.secure + "/logout")
	amy.submit(url.Values{"logout": {"yes"}})
	if want := w.secure + "/bye"; amy.at.String() != want {
		t.Errorf("at %s (%s), want %s", amy.at, amy.page, want)
	}
	if !amy.isStranger() || !thief.isStranger() {
		t.Error("a session goes on after the logout")
	}
	thief.open(w.secure + "/api")
	thief.isRefused("a copy of the session, on another route", http.StatusUnauthorized)
}

func testBackchannelLogout(t *testing.T, w *world) {
	amy, bob := w.person(), w.person()
	amy.signIn("amy")
	bob.signIn("bob")
	amy.open(w.issuer + "/session/end") // the program sees nothing of it
	amy.submit(url.Values{"logout": {"yes"}})
	if !amy.isStranger() {
		t.Errorf("amy's session goes on: %s", amy.page)
	}
	amy.open(w.secure + "/api")
	amy.isRefused("on another route", http.StatusUnauthorized)
	bob.open(w.secure + "/")
	bob.sees("bob", "/")
}

func testForgedRequests(t *testing.T, w *world) {
	const field, cookie = "TraefikHub-Csrf-Token", "traefikee-csrf-token"
	amy, mallory := w.person(), w.person()
	for _, p := range []*person{amy, mallory} { // who signs in as the same has another session
		p.signIn("amy")
		p.send(http.MethodPost, "/cart", nil)
		p.isRefused("without a token", http.StatusForbidden)
		p.open(w.secure + "/cart")
		p.sees("amy", "/cart")
	}
	token := amy.cookie(cookie)
	for _, hostile := range []string{"", "planted", mallory.cookie(cookie), token + "A"} {
		amy.send(http.MethodPost, "/cart", map[string]string{field: hostile})
		amy.isRefused("with the token "+hostile, http.StatusForbidden)
	}
	amy.send(http.MethodPost, "/cart", map[string]string{field: token})
	amy.sees("amy", "/cart")
	if strings.Contains(amy.page, token) {
		t.Errorf("the service sees the token: %s", amy.page)
	}
	mallory.take(&http.Cookie{Name: cookie, Value: token, Path: "/", Secure: true})
	mallory.send(http.MethodPost, "/cart", map[string]string{field: token})
	mallory.isRefused("cookie and token of another session", http.StatusForbidden)
}

func testNoLogin(t *testing.T, w *world) {
	amy := w.person()
	amy.open(w.secure + "/api")
	amy.isRefused("a stranger", http.StatusUnauthorized)
	if len(amy.cookies()) > 0 {
		t.Errorf("a stranger has %v", amy.cookies())
	}
	amy.signIn("amy")
	amy.open(w.secure + "/api")
	amy.sees("amy", "/api")
}
