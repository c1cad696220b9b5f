package middleware

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxLogins is how many logins one browser may have begun: each is a cookie that comes with every request.
const maxLogins = 5

// login is one that has begun. Whoever comes back from the provider must be the browser that it was begun in: nobody
// can be signed in as somebody else by a link (RFC 9700 §4.7).
type login struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"` // of PKCE (RFC 7636)
	Page     string `json:"p"` // that was asked for
	Begun    int64  `json:"b"` // in milliseconds since 1970
}

// begin sends the browser to the provider.
func (o *oidc) begin(w http.ResponseWriter, r *http.Request) {
	if !o.provider.shared.reachable(r.Context()) {
		refuseForNow(w)
		return
	}
	m, err := o.provider.metadata(r.Context())
	if err != nil {
		refuse(w, http.StatusBadGateway, "auth_unreachable")
		return
	}
	l := login{
		State: rand.Text(), Nonce: rand.Text(), Verifier: rand.Text() + rand.Text(), Page: localPage(r.URL),
		Begun: time.Now().UnixMilli(),
	}
	cookies, ok := o.login.seal(r.Header, o.loginCookie(l.State), &l)
	if !ok { // the page's address is all that can be large
		l.Page = "/"
		cookies, _ = o.login.seal(r.Header, o.loginCookie(l.State), &l)
	}
	if begun := o.loginCookies(r.Header); len(begun) >= maxLogins {
		for _, name := range begun {
			cookies = append(cookies, o.login.expire(r.Header, name)...)
		}
	}
	to, err := url.Parse(m.Authorization)
	if err != nil {
		refuse(w, http.StatusBadGateway, "auth_unreachable")
		return
	}
	challenge := sha256.Sum256([]byte(l.Verifier))
	query := to.Query()
	for name, value := range o.Params {
		query.Set(name, value)
	}
	for name, value := range map[string]string{
		"response_type": "code", "client_id": o.Client.ID, "redirect_uri": address(r, o.redirect),
		"scope": strings.Join(append([]string{"openid"}, o.Scopes...), " "), "state": l.State, "nonce": l.Nonce,
		"code_challenge": base64.RawURLEncoding.EncodeToString(challenge[:]), "code_challenge_method": "S256",
	} {
		query.Set(name, value)
	}
	to.RawQuery = query.Encode()
	w.Header()["Set-Cookie"] = cookies
	sendTo(w, to.String())
}

// localPage is a page on the same host, whatever the request's path looks like: what begins with two slashes, or with
// one and a backslash, is another host to a browser.
func localPage(u *url.URL) string {
	page := "/" + strings.TrimLeft(u.EscapedPath(), `/\`)
	if u.RawQuery != "" {
		page += "?" + u.RawQuery
	}
	return page
}

func (o *oidc) loginCookie(state string) string { return o.cookie + "-login-" + state[:8] }

// loginCookies are the names of those that the request has.
func (o *oidc) loginCookies(h http.Header) (names []string) {
	for name := range cookiePairs(h) {
		if strings.HasPrefix(name, o.cookie+"-login-") {
			names = append(names, name)
		}
	}
	return names
}

// callback is where the provider sends the browser back to.
func (o *oidc) callback(w http.ResponseWriter, r *http.Request) {
	l, ok := o.returning(r)
	if !ok {
		refuse(w, http.StatusBadRequest, "refused_by_oidc")
		return
	}
	if !o.provider.shared.reachable(r.Context()) { // the code is good later, too
		refuseForNow(w)
		return
	}
	expired := o.login.expire(r.Header, o.loginCookie(l.State))
	query := r.URL.Query()
	if query.Get("error") != "" {
		w.Header()["Set-Cookie"] = expired
		refuse(w, http.StatusForbidden, "refused_by_oidc")
		return
	}
	s, err := o.redeem(r, l, query)
	switch {
	case errors.Is(err, errDenied) || errors.Is(err, errBadToken):
		refuse(w, http.StatusBadRequest, "refused_by_oidc")
		return
	case err != nil:
		refuse(w, http.StatusBadGateway, "auth_unreachable")
		return
	}
	cookies, err := o.keep(r.Context(), r.Header, s)
	switch {
	case errors.Is(err, errStoreAway):
		refuseForNow(w)
		return
	case err != nil:
		o.provider.client.log.Warn("a session is too large for cookies", "provider", o.Issuer, "token bytes", len(s.Token))
		refuse(w, http.StatusInternalServerError, "refused_by_oidc")
		return
	}
	w.Header()["Set-Cookie"] = slices.Concat(cookies, expired, o.csrf.lines(r.Header, s, true))
	page := l.Page
	if o.AfterLogin != "" {
		page = o.AfterLogin
	}
	sendTo(w, page)
}

// returning finds the login that the request ends. Each parameter may be there once.
func (o *oidc) returning(r *http.Request) (*login, bool) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || r.Method != http.MethodGet {
		return nil, false
	}
	for _, name := range []string{"state", "code", "iss", "error"} {
		if len(query[name]) > 1 {
			return nil, false
		}
	}
	state := query.Get("state")
	if len(state) != len(rand.Text()) || strings.ContainsFunc(state, notInState) {
		return nil, false
	}
	l := new(login)
	if !o.login.open(r.Header, o.loginCookie(state), l) ||
		subtle.ConstantTimeCompare([]byte(l.State), []byte(state)) != 1 ||
		time.Since(time.UnixMilli(l.Begun)) > o.loginTime() {
		return nil, false
	}
	return l, true
}

func notInState(r rune) bool { return (r < 'A' || r > 'Z') && (r < '2' || r > '7') }

// redeem makes a session of the code.
func (o *oidc) redeem(r *http.Request, l *login, query url.Values) (*session, error) {
	m, err := o.provider.metadata(r.Context())
	if err != nil {
		return nil, err
	}
	// The answer may be another provider's that the browser was sent to (RFC 9207 §2.4).
	if query.Get("code") == "" || query.Has("iss") && query.Get("iss") != o.Issuer || m.SaysIssuer && !query.Has("iss") {
		return nil, errBadToken
	}
	t, err := o.provider.exchange(r.Context(), url.Values{
		"grant_type": {"authorization_code"}, "code": {query.Get("code")}, "redirect_uri": {address(r, o.redirect)},
		"code_verifier": {l.Verifier},
	})
	if err != nil {
		return nil, err
	}
	c, err := o.provider.verify(r.Context(), t.ID)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(c.text("nonce")), []byte(l.Nonce)) != 1 || c.text("sub") == "" {
		return nil, errBadToken
	}
	now := time.Now()
	s := &session{
		ID: rand.Text(), Token: t.ID, Refresh: t.Refresh, Begun: now.UnixMilli(), Ends: now.Add(o.expiry).UnixMilli(),
		claims: c,
	}
	if s.Refresh != "" && !o.Session.NoRefresh {
		s.Renew = renewAt(t)
	}
	return s, nil
}
