package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestBadRecords: one broken record costs one key.
func TestBadRecords(t *testing.T) {
	store := newMemory()
	f := newFixture(t, store)
	good, _ := f.create(Spec{Owner: "o", Scopes: []string{"admin"}})
	broken, key := f.create(Spec{Owner: "o", Scopes: []string{"admin"}})
	session := f.want(broken, "admin", "")
	value := string(store.items[storePrefix+key.ID].Value)
	for name, bad := range map[string]string{
		"not JSON":      "{",
		"nothing":       "",
		"another id":    strings.Replace(value, key.ID, newID(), 1),
		"no secrets":    `{"id":"` + key.ID + `","owner":"o","scopes":["admin"],"secrets":[]}`,
		"a short hash":  strings.Replace(value, `"sha256":"`, `"sha256":"","x":"`, 1),
		"not hex":       value[:strings.Index(value, `"sha256":"`)+10] + "x" + value[strings.Index(value, `"sha256":"`)+11:],
		"unknown field": strings.Replace(value, `{`, `{"networks":["10.0.0.0/8"],`, 1),
		"unknown scope": strings.Replace(value, `"admin"`, `"root"`, 1),
	} {
		item := store.items[storePrefix+key.ID]
		if _, err := store.Put(t.Context(), item.Key, []byte(bad), item.Version); err != nil {
			t.Fatal(err)
		}
		fresh := newFixture(t, store)
		fresh.want(good, "admin", "")
		fresh.want(broken, "admin", Unknown)
		if !strings.Contains(fresh.log.String(), key.ID) {
			t.Errorf("%s: log %q", name, fresh.log.String())
		}
	}
	if err := f.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f.want(broken, "admin", Unknown); !isDone(session) {
		t.Error("the session of a key that can no longer be read goes on")
	}
	if err := f.Revoke(t.Context(), key.ID); err == nil {
		t.Error("a record that cannot be read was revoked")
	}
}

// TestNoSecretLeaks looks for secrets and their hashes in everything that the package says.
func TestNoSecretLeaks(t *testing.T) {
	store := newMemory()
	f := newFixture(t, store)
	first, key := f.create(Spec{Owner: "o", Scopes: []string{"link:read"}})
	second := f.rotate(key.ID, time.Hour)
	var said strings.Builder
	say := func(things ...any) { fmt.Fprintf(&said, "%v %+v %#v\n", things, things, things) }
	for _, presented := range []string{first, second, first + "x", "flk_" + first, format(newID(), first[17:69])} {
		session, err := f.Authorize(presented, "link:read")
		say(session, err)
		_, err = f.Authorize(presented, "admin")
		say(err, f.Revoke(t.Context(), presented))
		_, err = f.Rotate(t.Context(), presented, 0)
		say(err)
		_, err = Resolve(presented)
		say(err)
	}
	text, err := json.Marshal(f.List())
	say(string(text), err, f.List(), f.reasons)
	store.setFail(errors.New("down"))
	f.flush(t.Context())
	store.setFail(nil)
	item := store.items[storePrefix+key.ID]
	if _, err := store.Put(t.Context(), item.Key, append(item.Value, '}'), item.Version); err != nil {
		t.Fatal(err)
	}
	say(f.load(t.Context()), f.Revoke(t.Context(), key.ID), f.log.String())
	for _, presented := range []string{first, second} {
		secret := presented[17:69]
		sum, _ := hashOf(secret).MarshalText()
		for _, forbidden := range []string{secret, string(sum), secret[:20], string(sum[:20])} {
			if strings.Contains(said.String(), forbidden) {
				t.Errorf("%q was said in:\n%s", forbidden, said.String())
			}
		}
		for stored := range store.items {
			if strings.Contains(string(store.items[stored].Value), secret) {
				t.Error("the store has a secret")
			}
		}
	}
}
