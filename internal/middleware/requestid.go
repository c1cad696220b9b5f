package middleware

import (
	"cmp"
	"crypto/rand"
	"net/http"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// newRequestID gives each request a name that is told to the service and to the client. The client's own is removed,
// unless it is to be kept: it goes into the logs of those who trust it.
func newRequestID(_ *Set, _ place, spec *model.RequestID) (Func, error) {
	name, err := identityName("requestId.header", cmp.Or(spec.Header, "X-Request-Id"))
	if err != nil {
		return nil, err
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id := r.Header.Get(name)
			if !spec.Keep || len(r.Header[name]) != 1 || !isRequestID(id) {
				id = rand.Text() // 128 bits and more, so that no two are alike
			}
			removeIdentity(r.Header, name)
			r.Header[name] = []string{id}
			hw := &requestIDWriter{headWriter{ResponseWriter: w}, name, id}
			hw.editor = hw
			next.ServeHTTP(hw, r)
			hw.finish()
		})
	}, nil
}

// requestIDWriter tells the client the name of its request.
type requestIDWriter struct {
	headWriter
	name, id string
}

func (w *requestIDWriter) editHead(h http.Header, _ int) { h[w.name] = []string{w.id} }

const maxRequestID = 128

// isRequestID admits what harms no log.
func isRequestID(s string) bool {
	return s != "" && len(s) <= maxRequestID && strings.IndexFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-._~+/=:", c)
	}) < 0
}
