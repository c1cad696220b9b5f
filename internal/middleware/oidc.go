package middleware

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	usualLoginTime     = 10 * time.Minute
	usualSessionExpiry = 24 * time.Hour
	// slideAfter is the part of its time after which a session that is used is made longer: not with every answer.
	slideAfter = 10
)

// oidc has browsers sign in at a provider. Its paths are on the route that it stands in.
type oidc struct {
	*model.OIDC
	provider *openIDProvider
	redirect *url.URL // where the provider sends the browser back to; only a path: on the host that was asked
	cookie   string   // the name of the session's; those of logins begin with it
	session  *sealedCookie
	login    *sealedCookie
	csrf     *csrf
	use      *claimUse
	expiry   time.Duration
}

// newOIDC admits browsers that have signed in.
func newOIDC(s *Set, at place, spec *model.OIDC) (Func, error) {
	o, err := makeOIDC(s, at, spec)
	if err != nil {
		return nil, err
	}
	return o.wrap, nil
}

func makeOIDC(s *Set, at place, spec *model.OIDC) (*oidc, error) {
	use, err := newClaimUse("oidc", spec.ClaimUse)
	if err != nil {
		return nil, err
	}
	o := &oidc{OIDC: spec, use: use, expiry: cmp.Or(spec.Session.Expiry, usualSessionExpiry)}
	o.redirect, err = url.Parse(spec.Redirect)
	switch {
	case !isServerAddress(spec.Issuer):
		return nil, fieldError("oidc.issuer", "is no address; write it like https://login.example")
	case spec.Client.ID == "":
		return nil, fieldError("oidc.clientID", "is missing")
	case err != nil || !strings.HasPrefix(o.redirect.Path, "/"):
		return nil, fieldError("oidc.redirectUrl", "is neither a path nor an address; write it like /callback")
	}
	if err := o.makeCookies(); err != nil {
		return nil, err
	}
	client, err := newIdentityClient("oidc.clientConfig.tls", spec.Server, s.log)
	if err != nil {
		return nil, err
	}
	parts := []string{spec.Issuer, spec.Client.ID, spec.Client.Secret.Reveal(), serverKeyOf(spec.Server)}
	if store := spec.Session.Redis; store != nil {
		if store.TLS != nil {
			if _, err := newTLSConfig("oidc.session.store.redis.tls", store.TLS); err != nil {
				return nil, err
			}
		}
		parts = append(parts, redisKey(store))
	}
	o.provider = sharedStateOf(s, place{middleware: at.middleware}, likeOf("oidc", parts...), func() *openIDProvider {
		p := newOpenIDProvider(client, spec)
		if spec.Session.Redis != nil {
			p.shared = newSharedSessions(at.middleware, spec)
		}
		return p
	})
	o.provider.shared.lastFor(o.expiry)
	return o, nil
}

// makeCookies names the cookies by issuer and client, so that routes with the same share a login, and no others.
func (o *oidc) makeCookies() (err error) {
	secret := []byte(cmp.Or(o.Session.Secret.Reveal(), o.Client.Secret.Reveal()))
	if len(secret) < minHMAC {
		return fieldError("oidc.session.secret", "is needed, of %d bytes or more, as clientSecret has less", minHMAC)
	}
	sum := sha256.Sum256([]byte(o.Issuer + " " + o.Client.ID))
	o.cookie = "fairlead-" + hex.EncodeToString(sum[:4])
	if !o.Session.Insecure && o.Session.Domain == "" {
		o.cookie = "__Host-" + o.cookie // no other host can set it (RFC 6265bis §4.1.3.2)
	}
	o.cookie = cmp.Or(o.Session.Cookie, o.cookie)
	attributes := http.Cookie{
		Path: "/", Domain: o.Session.Domain, Secure: !o.Session.Insecure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if o.Session.SameSite == "none" {
		attributes.SameSite = http.SameSiteNoneMode
	}
	use := o.Issuer + " " + o.Client.ID
	attributes.MaxAge = int(o.expiry.Seconds())
	if o.session, err = newSealedCookie("session "+use, secret, attributes); err != nil {
		return err
	}
	if o.csrf, err = newCSRF(use, secret, attributes, o.CSRF); err != nil {
		return err
	}
	attributes.MaxAge = int(o.loginTime().Seconds())
	o.login, err = newSealedCookie("login "+use, secret, attributes)
	return err
}

func (o *oidc) loginTime() time.Duration { return cmp.Or(o.LoginTime, usualLoginTime) }

func (o *oidc) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case o.redirect.Path:
			o.callback(w, r)
		case cmp.Or(o.Logout, "none"): // a path begins with a slash
			o.logout(w, r)
		case cmp.Or(o.BackchannelLogout, "none"):
			o.backchannelLogout(w, r)
		default:
			o.guard(w, r, next)
		}
	})
}

// guard lets those pass that are signed in.
func (o *oidc) guard(w http.ResponseWriter, r *http.Request, next http.Handler) {
	o.use.removeIdentity(r.Header)
	s, cookies, err := o.signedIn(r)
	switch {
	case errors.Is(err, errStoreAway):
		refuseForNow(w)
		return
	case errors.Is(err, errUnreachable):
		refuse(w, http.StatusBadGateway, "auth_unreachable")
		return
	case err != nil && !o.NoLogin && isNavigation(r):
		o.begin(w, r)
		return
	case err != nil: // a script would follow the redirect, and understand nothing of the login page
		w.Header()["Set-Cookie"] = o.csrf.expire(r.Header)
		challengeBearer(w, errNoToken)
		refuse(w, http.StatusUnauthorized, "refused_by_oidc")
		return
	case !o.use.allows(s.claims):
		refuse(w, http.StatusForbidden, "refused_by_oidc")
		return
	}
	cookies = append(cookies, o.csrf.lines(r.Header, s, len(cookies) > 0)...)
	if !o.csrf.allows(r, s) {
		w.Header()["Set-Cookie"] = cookies
		refuse(w, http.StatusForbidden, "refused_by_oidc")
		return
	}
	o.csrf.remove(r.Header)
	o.session.remove(r.Header, o.cookie)
	for _, name := range o.loginCookies(r.Header) {
		removeCookie(r.Header, name)
	}
	o.use.tell(r.Header, s.claims)
	keepClaims(w, s.claims)
	page := isNavigation(r)
	if len(cookies) == 0 && !page {
		next.ServeHTTP(w, r)
		return
	}
	sw := &sessionWriter{headWriter{ResponseWriter: w}, cookies, page}
	sw.editor = sw
	next.ServeHTTP(sw, r)
	sw.finish()
}

// sessionWriter adds cookies to those of the service. Pages are not kept, if the service does not say that they may be:
// after a logout, the browser's button for back would show them.
type sessionWriter struct {
	headWriter
	cookies []string
	page    bool
}

func (w *sessionWriter) editHead(h http.Header, _ int) {
	if len(w.cookies) > 0 {
		h["Set-Cookie"] = slices.Concat(h["Set-Cookie"], w.cookies)
	}
	if w.page && len(h["Cache-Control"]) == 0 && len(h["Expires"]) == 0 {
		h["Cache-Control"] = []string{"no-store"}
	}
}

// signedIn returns the session of the request, and the cookies that it needs from now on. The error is errEnded,
// errUnreachable or errStoreAway.
func (o *oidc) signedIn(r *http.Request) (*session, []string, error) {
	s, err := o.open(r.Context(), r.Header)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	if ended, err := o.hasEnded(r.Context(), s); err != nil || ended || now.UnixMilli() >= s.Ends {
		return nil, nil, cmp.Or(err, errEnded)
	}
	current := s
	if !o.Session.NoRefresh {
		if current, err = o.provider.renewed(r.Context(), s, o.keeper()); err != nil {
			return nil, nil, err
		}
	}
	slides := !o.Session.Fixed && time.UnixMilli(s.Ends).Sub(now) < o.expiry-o.expiry/slideAfter
	if current == s && !slides {
		return s, nil, nil
	}
	if o.provider.shared != nil {
		return o.slide(r, s, current, slides)
	}
	next := *current // others may have it, too
	next.Ends = s.Ends
	if !o.Session.Fixed {
		next.Ends = now.Add(o.expiry).UnixMilli()
	}
	cookies, ok := o.session.seal(r.Header, o.cookie, &next)
	if !ok {
		return nil, nil, errEnded
	}
	return &next, cookies, nil
}

// open reads the session. What is in it was verified before it was sealed. The error is errEnded or errStoreAway.
func (o *oidc) open(ctx context.Context, h http.Header) (*session, error) {
	s := new(session)
	if o.provider.shared != nil {
		if err := o.load(ctx, h, s); err != nil {
			return nil, err
		}
	} else if !o.session.open(h, o.cookie, s) {
		return nil, errEnded
	}
	parts := strings.Split(s.Token, ".")
	if len(parts) != 3 {
		return nil, errEnded
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, errEnded
	}
	if s.claims, err = parseClaims(payload); err != nil {
		return nil, errEnded
	}
	return s, nil
}

// isNavigation reports whether a browser wants to show the answer to somebody.
func isNavigation(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html") && r.Header.Get("X-Requested-With") == ""
}

// address makes an absolute one of a path on the host that was asked.
func address(r *http.Request, u *url.URL) string {
	if u.IsAbs() {
		return u.String()
	}
	absolute := *u
	absolute.Scheme, absolute.Host = "http", r.Host
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		absolute.Scheme = "https"
	}
	return absolute.String()
}

// sendTo redirects a browser.
func sendTo(w http.ResponseWriter, location string) {
	setReason(w, "redirected")
	w.Header().Set("Location", location)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusFound)
}
