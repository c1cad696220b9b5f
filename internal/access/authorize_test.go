package access

import (
	"strings"
	"testing"
)

func TestScopes(t *testing.T) {
	f := newFixture(t, newMemory())
	for _, c := range []struct {
		scopes string
		yes    string
		no     string
	}{
		{"link:read", "link:read", "link:traffic api:read route:a admin route:*"},
		{"route:a", "route:a", "route:b route:* route: admin"},
		{"route:*", "route:a route:b@file route:ns/b@x route:*", "link:traffic admin api:read"},
		{"admin", "link:read link:traffic api:read api:write admin route:a route:* made:up", ""},
		{"viewer", "api:read", "api:write admin"},
		{"operator", "api:read api:write", "admin link:read"},
		{"api:write", "api:write", "api:read"},
		{"viewer link:read", "api:read link:read", "api:write"},
	} {
		presented, _ := f.create(Spec{Owner: "o", Scopes: strings.Fields(c.scopes)})
		for _, scope := range strings.Fields(c.yes) {
			f.want(presented, scope, "")
		}
		for _, scope := range strings.Fields(c.no) {
			f.want(presented, scope, Forbidden)
		}
		f.want(presented, "", Forbidden)
	}
}

func TestRefusals(t *testing.T) {
	f := newFixture(t, newMemory())
	presented, key := f.create(Spec{Owner: "o", Scopes: []string{"admin"}})
	for _, bad := range []string{
		"", "flk_", presented[:len(presented)-1], presented + "0", " " + presented, "Bearer " + presented,
		strings.ToUpper(presented), "xlk" + presented[3:], strings.Replace(presented, "_", "-", 2),
		presented[:30] + "é" + presented[32:], presented[:20] + "1" + presented[21:],
	} {
		f.want(bad, "admin", Malformed)
	}
	f.want(format(newID(), newSecret()), "admin", Unknown)
	f.want(format(key.ID, newSecret()), "admin", WrongSecret)
	f.want(presented, "admin", "")
	if err := f.Revoke(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	f.want(presented, "admin", Revoked)
	f.want(format(key.ID, newSecret()), "admin", WrongSecret) // who does not know the secret learns nothing
}

func BenchmarkAuthorize(b *testing.B) {
	f, err := NewKeys(b.Context(), newMemory(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	var good string
	for range 1000 {
		if good, _, err = f.Create(b.Context(), Spec{Owner: "o", Scopes: []string{"route:a", "link:read"}}); err != nil {
			b.Fatal(err)
		}
	}
	id, _, _ := parse(good)
	for _, c := range []struct{ name, presented string }{
		{"good", good},
		{"unknown", format(newID(), newSecret())},
		{"wrong", format(id, newSecret())},
		{"malformed", good[:len(good)-1] + "x"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = f.Authorize(c.presented, "route:a")
			}
		})
	}
}

func TestAuthorizeAllocatesNothing(t *testing.T) {
	f, err := NewKeys(t.Context(), newMemory(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	presented, _, err := f.Create(t.Context(), Spec{Owner: "o", Scopes: []string{"route:a"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{presented, format(newID(), newSecret()), "x"} {
		if n := testing.AllocsPerRun(100, func() { _, _ = f.Authorize(p, "route:a") }); n > 0 {
			t.Errorf("%v allocations for %.5q", n, p)
		}
	}
}
