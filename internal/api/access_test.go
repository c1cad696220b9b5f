package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/access"
)

// Every endpoint asks for a key, but the two that say only that the process lives; whoever is turned away learns the
// same, whatever is wrong.
func TestWithoutKey(t *testing.T) {
	b := newBench(t)
	revoked := b.key("admin")
	id, _ := access.ID(revoked)
	if err := b.options.Keys.Revoke(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	good := b.key("admin")
	wrong := good[:20] + strings.Repeat("a", 10) + good[30:]
	targets := []endpoint{{method: "GET", path: "/"}, {method: "PUT", path: "/api/v1/keys"}}
	for _, e := range new(server).endpoints() {
		if e.scope != anybody {
			targets = append(targets, e)
		}
	}
	const want = `{"title":"Unauthorized","status":401}` + "\n"
	for _, e := range targets {
		target := strings.ReplaceAll(e.path, "{id}", id)
		for _, authorization := range []string{
			"", "Bearer", "Bearer ", "Basic " + good, good, "Bearer " + wrong, "Bearer x", "Bearer " + revoked,
		} {
			w := b.call(e.method, target, "", `{}`, "Authorization", authorization)
			if w.Code != 401 || w.Body.String() != want || w.Header().Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s %s with %q: %d %s", e.method, target, authorization, w.Code, w.Body)
			}
		}
	}
	if !slices.Contains(b.refused, "no_key") || !slices.Contains(b.refused, "bad_key") {
		t.Errorf("counted: %v", b.refused)
	}
	r := httptest.NewRequest("GET", "/api/v1/routes", nil)
	r.Header["Authorization"] = []string{"Bearer " + good, "Bearer " + good}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("two keys: %d", w.Code)
	}
}

// A key opens what its scope says, and nothing else.
func TestScopes(t *testing.T) {
	b := newBench(t)
	b.set(files())
	for _, test := range []struct {
		scope      access.Scope
		read, keys int
	}{
		{access.APIRead, 200, 403}, {access.APIWrite, 403, 403}, {access.LinkRead, 403, 403},
		{access.AllRoutes, 403, 403}, {access.Admin, 200, 200},
	} {
		key := b.key(string(test.scope))
		for _, e := range new(server).endpoints() {
			if e.method != "GET" || e.scope == anybody || strings.HasSuffix(e.path, "/events") {
				continue
			}
			target, want := e.path, test.read
			switch {
			case strings.HasSuffix(target, "/explain"):
				target += "?url=http://a.example"
			case strings.Contains(target, "/keys"):
				id, _ := access.ID(b.admin)
				target, want = strings.ReplaceAll(target, "{id}", id), test.keys
			}
			b.refused = nil
			w := b.call("GET", target, key, "")
			if w.Code != want || (want == 403) != slices.Equal(b.refused, []string{"scope"}) {
				t.Errorf("%s with %s: %d, counted %v", target, test.scope, w.Code, b.refused)
			}
		}
		w := b.call("POST", "/api/v1/keys", key, `{"owner":"x","scopes":["admin"]}`)
		if (w.Code == 201) != (test.keys == 200) {
			t.Errorf("making a key with %s: %d", test.scope, w.Code)
		}
	}
}

// A key's life: made, seen, used, rotated with an overlap, revoked. The secret is shown twice and never again.
func TestKeys(t *testing.T) {
	b := newBench(t)
	made := b.call("POST", "/api/v1/keys", b.admin, `{"owner":"ops","scopes":["viewer"],"expires":"2999-01-01T00:00:00Z"}`)
	var first, second IssuedKey
	read(t, made.Body.String(), &first)
	if made.Code != http.StatusCreated || made.Header().Get("Location") != "/api/v1/keys/"+first.Key.ID {
		t.Errorf("made: %d %v", made.Code, made.Header())
	}
	if first.Key.State != "active" || !slices.Equal(first.Key.Scopes, []string{"api:read"}) {
		t.Errorf("made: %+v", first.Key)
	}
	target := "/api/v1/keys/" + first.Key.ID
	read(t, b.admins("POST", target+"/rotate", `{"overlap":"1h"}`), &second)
	if until := time.Until(second.Key.OverlapUntil); until < 50*time.Minute || until > time.Hour {
		t.Errorf("the overlap ends in %v", until)
	}
	for _, key := range []string{first.Presented, second.Presented} {
		if w := b.call("GET", "/api/v1/version", key, ""); w.Code != http.StatusOK {
			t.Errorf("in the overlap: %d", w.Code)
		}
	}
	for _, shown := range []string{b.admins("GET", "/api/v1/keys", ""), b.admins("GET", target, "")} {
		for _, key := range []string{first.Presented, second.Presented, b.admin} {
			if strings.Contains(shown, strings.Split(key, "_")[2]) {
				t.Errorf("a secret is shown: %s", shown)
			}
		}
	}
	b.admins("DELETE", target, "")
	b.admins("DELETE", target, "")
	for _, key := range []string{first.Presented, second.Presented} {
		if w := b.call("GET", "/api/v1/version", key, ""); w.Code != http.StatusUnauthorized {
			t.Errorf("revoked: %d", w.Code)
		}
	}
	if w := b.call("POST", target+"/rotate", b.admin, `{}`); w.Code != http.StatusConflict {
		t.Errorf("rotating a revoked key: %d %s", w.Code, w.Body)
	}
}

// No answer that has to do with keys may be kept on the way.
func TestKeysAreNotStored(t *testing.T) {
	b := newBench(t)
	id, _ := access.ID(b.key("viewer"))
	for _, call := range [][2]string{
		{"GET", ""}, {"POST", ""}, {"GET", "/" + id}, {"POST", "/" + id + "/rotate"}, {"DELETE", "/" + id}, {"GET", "/none"},
	} {
		w := b.call(call[0], "/api/v1/keys"+call[1], b.admin, `{"owner":"x","scopes":["admin"]}`)
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s /keys%s: %v", call[0], call[1], w.Header())
		}
	}
}

func read(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}
