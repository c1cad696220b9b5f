package middleware

import (
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/model"
)

// newRedirectRegex sends the client to what its address becomes when the expression's matches are replaced. The client
// chooses most of that address, so what comes out must be one that the replacement can mean: see isLocation.
func newRedirectRegex(_ *Set, _ place, spec *model.RedirectRegex) (Func, error) {
	re, err := parseRegex("redirectRegex.regex", spec.Regex)
	if err != nil {
		return nil, err
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			address := addressOf(r)
			if !re.MatchString(address) {
				next.ServeHTTP(w, r)
				return
			}
			location := re.ReplaceAllString(address, spec.Replacement)
			switch {
			case location == address:
				next.ServeHTTP(w, r)
			case !isLocation(location, spec.Replacement):
				refuse(w, http.StatusBadRequest, "bad_host")
			default:
				redirect(w, r, location, spec.Permanent)
			}
		})
	}, nil
}

// isLocation refuses what leads elsewhere than the owner of the replacement can have meant: a path that browsers take
// for a host ("//evil.example", "/\evil.example"), and a host that is hidden behind a name
// ("shop.example@evil.example").
func isLocation(location, replacement string) bool {
	u, err := url.Parse(location)
	if err != nil || !httpguts.ValidHeaderFieldValue(location) || u.User != nil {
		return false
	}
	if strings.HasPrefix(replacement, "/") && !strings.HasPrefix(replacement, "//") {
		return len(location) < 2 || location[1] != '/' && location[1] != '\\'
	}
	return true
}
