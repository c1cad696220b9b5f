package middleware

import (
	"net/http"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// newEncodedCharacters refuses paths that hide a character behind an escape, where the definition does not allow it.
func newEncodedCharacters(_ *Set, _ place, spec *model.EncodedCharacters) (Func, error) {
	refused := map[byte]bool{
		'/': !spec.Slash, '\\': !spec.BackSlash, 0: !spec.Null, ';': !spec.Semicolon, '%': !spec.Percent,
		'?': !spec.QuestionMark, '#': !spec.Hash,
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for rest := r.URL.EscapedPath(); ; {
				_, after, found := strings.Cut(rest, "%")
				if !found {
					break
				}
				if len(after) < 2 || refused[unhex(after[0])<<4|unhex(after[1])] {
					refuse(w, http.StatusBadRequest, "refused_by_encodedCharacters")
					return
				}
				rest = after[2:]
			}
			next.ServeHTTP(w, r)
		})
	}, nil
}

func unhex(digit byte) byte {
	if digit >= 'A' {
		return digit&^0x20 - 'A' + 10
	}
	return digit - '0'
}
