package middleware

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

func TestSealedCookie(t *testing.T) {
	p := newOpenID(t)
	o := p.oidc(t, NewSet(Options{}), p.spec())
	seal := func(c *sealedCookie, name, value string) http.Header {
		lines, ok := c.seal(http.Header{}, name, value)
		if !ok {
			return nil
		}
		h := http.Header{}
		for _, cookie := range cookiesOf(lines) {
			h.Add("Cookie", cookie.Name+"="+cookie.Value)
		}
		return h
	}
	var got string
	large := strings.Repeat("x", 9000)
	h := seal(o.session, "a", large)
	if len(h["Cookie"]) < 3 || !o.session.open(h, "a", &got) || got != large {
		t.Errorf("a large value is not read again, in %d cookies", len(h["Cookie"]))
	}
	for _, line := range h["Cookie"] {
		if len(line) > 4000 {
			t.Errorf("a cookie has %d bytes", len(line))
		}
	}
	if lines, _ := o.session.seal(h, "a", "small"); len(lines) != len(h["Cookie"]) {
		t.Errorf("parts that are not needed any more stay: %q", lines)
	}
	if o.session.remove(h, "a"); len(h) != 0 {
		t.Errorf("left: %v", h)
	}
	if _, ok := o.session.seal(nil, "a", strings.Repeat("x", maxCookieParts*cookiePart)); ok {
		t.Error("a value of any size is sealed")
	}
	good := seal(o.session, "a", "v")["Cookie"][0]
	other := p.oidc(t, NewSet(Options{}), func() model.OIDC { s := p.spec(); s.Client.ID = "x"; return s }())
	for name, h := range map[string]http.Header{
		"changed":              {"Cookie": {good[:len(good)-2] + "AA"}},
		"cut off":              {"Cookie": {good[:20]}},
		"of another cookie":    {"Cookie": {"a" + seal(o.session, "b", "v")["Cookie"][0][1:]}},
		"of another use":       seal(o.login, "a", "v"),
		"of another client":    seal(other.session, "a", "v"),
		"more than one":        {"Cookie": {good + "; a_1=AAAA"}},
		"none":                 {},
		"no base64":            {"Cookie": {"a=%%%"}},
		"with bits left over":  {"Cookie": {good + "A"}},
		"in a row without end": {"Cookie": {strings.Repeat("a=A; a_1=A; ", 100)}},
	} {
		if o.session.open(h, "a", &got) {
			t.Errorf("%s: opened", name)
		}
	}
}
