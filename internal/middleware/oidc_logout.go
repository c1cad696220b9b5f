package middleware

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"net/url"
)

// logout ends the session of the browser, here and at the provider (OpenID Connect RP-Initiated Logout 1.0 §2). Whoever
// has a copy of the cookie is not signed in any more either.
func (o *oidc) logout(w http.ResponseWriter, r *http.Request) {
	s, err := o.open(r.Context(), r.Header)
	ok := err == nil
	if ok {
		err = o.end(r.Context(), "id", s.ID)
	}
	if errors.Is(err, errStoreAway) { // nobody is to believe that the session has ended
		refuseForNow(w)
		return
	}
	w.Header()["Set-Cookie"] = append(o.session.expire(r.Header, o.cookie), o.csrf.expire(r.Header)...)
	after := ""
	if u, err := url.Parse(o.AfterLogout); err == nil && o.AfterLogout != "" {
		after = address(r, u)
	}
	m, err := o.provider.metadata(r.Context())
	switch {
	case err == nil && ok && m.EndSession != "":
		to, err := url.Parse(m.EndSession)
		if err != nil {
			break
		}
		query := to.Query()
		query.Set("id_token_hint", s.Token)
		query.Set("client_id", o.Client.ID)
		if after != "" {
			query.Set("post_logout_redirect_uri", after)
		}
		to.RawQuery = query.Encode()
		sendTo(w, to.String())
		return
	case after != "":
		sendTo(w, after)
		return
	}
	setReason(w, "signed_out")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, "You have signed out.\n")
}

// backchannelLogout is how the provider says that somebody has signed out elsewhere (OpenID Connect Back-Channel Logout
// 1.0 §2.5 to 2.8).
func (o *oidc) backchannelLogout(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		refuse(w, http.StatusMethodNotAllowed, "refused_by_oidc")
		return
	}
	r.Body = http.MaxBytesReader(w, cmp.Or[io.ReadCloser](r.Body, http.NoBody), maxTokenAnswer)
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, "refused_by_oidc")
		return
	}
	sid, sub, err := o.provider.verifyLogout(r.Context(), r.PostForm.Get("logout_token"))
	switch {
	case errors.Is(err, errUnreachable):
		refuse(w, http.StatusBadGateway, "auth_unreachable")
		return
	case err != nil:
		refuse(w, http.StatusBadRequest, "refused_by_oidc")
		return
	}
	kind, name := "sid", sid // this one only
	if sid == "" {
		kind, name = "sub", sub
	}
	if o.end(r.Context(), kind, name) != nil {
		refuseForNow(w)
		return
	}
	setReason(w, "signed_out")
	w.WriteHeader(http.StatusOK)
}
