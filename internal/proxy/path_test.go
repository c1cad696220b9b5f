package proxy

import (
	"net/url"
	"testing"
)

func TestCleanPath(t *testing.T) {
	for _, c := range []struct{ in, want string }{ // want "": refused
		{"/", "/"},
		{"", "/"},
		{"/a/b", "/a/b"},
		{"/a/b/", "/a/b/"},
		{"/a//b", "/a/b"},
		{"//a", "/a"},
		{"/a/./b", "/a/b"},
		{"/public/../admin", "/admin"},
		{"/../../etc/passwd", "/etc/passwd"},
		{"/a/..", "/"},
		{"/a/..b/c", "/a/..b/c"},
		{"/a%2Fb", "/a%2Fb"},
		{"/public/%2e%2e/admin", ""},
		{"/public/..%2fadmin", ""},
		{"/public%2f%2e%2e/admin", ""},
		{"/a/%2e/b", ""},
	} {
		u, err := url.ParseRequestURI("http://a.example" + c.in)
		if err != nil {
			t.Fatal(err)
		}
		ok := cleanPath(u)
		if got := u.EscapedPath(); ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%q: %q, %v; want %q", c.in, got, ok, c.want)
		}
	}
}

// What the rules see has no dot segments and no empty ones, and looking at it again changes nothing.
func FuzzCleanPath(f *testing.F) {
	for _, s := range []string{"/", "/a/../b", "/%2e%2e/", "//", "/a%2f..%2fb", "/./", "/..//%2e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI("http://a.example/" + path)
		if err != nil || u.Path == "" {
			return
		}
		if !cleanPath(u) {
			return
		}
		if needsCleaning(u.Path) || u.Path[0] != '/' {
			t.Fatalf("%q became %q", path, u.Path)
		}
		again := *u
		if !cleanPath(&again) || again != *u {
			t.Fatalf("%q became %q, then %q", path, u.EscapedPath(), again.EscapedPath())
		}
	})
}
