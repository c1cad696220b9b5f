package middleware

import (
	"maps"
	"net/http"
	"slices"

	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/model"
)

// newHeaders changes fields of the request and of the answer. An empty value removes the field. The field Host of the
// request is the host that the service sees; it cannot be removed, so an empty one changes nothing.
func newHeaders(_ *Set, _ model.Ref, spec *model.Headers) (Func, error) {
	request, err := newEdits("headers.customRequestHeaders", spec.Request)
	if err != nil {
		return nil, err
	}
	response, err := newEdits("headers.customResponseHeaders", spec.Response)
	if err != nil {
		return nil, err
	}
	host := ""
	request = slices.DeleteFunc(request, func(e edit) bool {
		if e.name == "Host" {
			host = e.value
		}
		return e.name == "Host"
	})
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			request.apply(r.Header)
			if host != "" {
				r.Host = host
			}
			if len(response) == 0 {
				next.ServeHTTP(w, r)
				return
			}
			hw := &headWriter{ResponseWriter: w, editor: response}
			next.ServeHTTP(hw, r)
			hw.finish()
		})
	}, nil
}

type edit struct{ name, value string }

// edits are sorted by the name that the owner wrote.
type edits []edit

func newEdits(place string, fields map[string]string) (edits, error) {
	var list edits
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		canonical, err := fieldName(place, name)
		if err != nil {
			return nil, err
		}
		if !httpguts.ValidHeaderFieldValue(fields[name]) {
			return nil, fieldError(place+"."+name, "the value has control characters; remove them")
		}
		list = append(list, edit{canonical, fields[name]})
	}
	return list, nil
}

func (list edits) editHead(h http.Header, _ int) { list.apply(h) }

func (list edits) apply(h http.Header) {
	if len(list) == 0 {
		return
	}
	// One allocation for all. Not made once for all requests: later handlers may write into the slices.
	values := make([]string, len(list))
	for i, e := range list {
		if e.value == "" {
			delete(h, e.name)
			continue
		}
		values[i] = e.value
		h[e.name] = values[i : i+1 : i+1]
	}
}
