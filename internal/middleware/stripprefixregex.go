package middleware

import (
	"fmt"
	"net/http"
	"regexp"

	"github.com/fairlead/fairlead/internal/model"
)

// newStripPrefixRegex removes the beginning of the path that the first of the expressions matches. An expression that
// matches elsewhere in the path removes nothing.
func newStripPrefixRegex(_ *Set, _ place, spec *model.StripPrefixRegex) (Func, error) {
	expressions := make([]*regexp.Regexp, len(spec.Regex))
	for i, text := range spec.Regex {
		var err error
		if expressions[i], err = parseRegex(fmt.Sprintf("stripPrefixRegex.regex[%d]", i), text); err != nil {
			return nil, err
		}
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for _, re := range expressions {
				if at := re.FindStringIndex(r.URL.Path); len(at) == 2 && at[0] == 0 && at[1] > 0 {
					serveWithout(w, r, at[1], false, next)
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}, nil
}
