package middleware

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

func TestEncodedCharacters(t *testing.T) {
	all := model.EncodedCharacters{
		Slash: true, BackSlash: true, Null: true, Semicolon: true, Percent: true, QuestionMark: true, Hash: true,
	}
	cases := map[string]struct {
		allow func(*model.EncodedCharacters)
		paths []string
	}{
		"slash":         {func(e *model.EncodedCharacters) { e.Slash = true }, []string{"/a%2Fb", "/a%2fb"}},
		"backslash":     {func(e *model.EncodedCharacters) { e.BackSlash = true }, []string{"/a%5Cb", "/a%5cb"}},
		"null":          {func(e *model.EncodedCharacters) { e.Null = true }, []string{"/a%00b"}},
		"semicolon":     {func(e *model.EncodedCharacters) { e.Semicolon = true }, []string{"/a%3Bb", "/a%3bb"}},
		"percent":       {func(e *model.EncodedCharacters) { e.Percent = true }, []string{"/a%25b", "/a%252Fb"}},
		"question mark": {func(e *model.EncodedCharacters) { e.QuestionMark = true }, []string{"/a%3Fb", "/a%3fb"}},
		"hash":          {func(e *model.EncodedCharacters) { e.Hash = true }, []string{"/a%23b"}},
	}
	status := func(e model.EncodedCharacters, path string) int {
		w, _ := exchange(build(t, NewSet(Options{}), model.Middleware{EncodedCharacters: &e}), request(path))
		return w.Code
	}
	for name, c := range cases {
		for _, path := range c.paths {
			if got := status(model.EncodedCharacters{}, path); got != http.StatusBadRequest {
				t.Errorf("%s: %s is served (%d)", name, path, got)
			}
			only := model.EncodedCharacters{}
			c.allow(&only)
			if got := status(only, path); got != http.StatusOK {
				t.Errorf("%s: %s gets %d though it is allowed", name, path, got)
			}
			if got := status(all, path+"?x=%2F"); got != http.StatusOK {
				t.Errorf("%s: %s gets %d though all is allowed", name, path, got)
			}
		}
	}
	for _, path := range []string{"/", "/a;b", "/%C3%A9", "/a%20b?x=%2F%00%25", "/a%2Eb"} {
		if got := status(model.EncodedCharacters{}, path); got != http.StatusOK {
			t.Errorf("%s gets %d", path, got)
		}
	}
}

func TestEncodedCharactersSaysWhy(t *testing.T) {
	f := build(t, NewSet(Options{}), model.Middleware{EncodedCharacters: &model.EncodedCharacters{}})
	w := &reasons{ResponseRecorder: httptest.NewRecorder()}
	f(http.NotFoundHandler()).ServeHTTP(w, request("/a%2Fb"))
	if w.reason != "refused_by_encodedCharacters" {
		t.Errorf("reason %q", w.reason)
	}
}
