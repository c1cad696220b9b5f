package middleware

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// keyServer has keys of Ed25519, by their ids.
type keyServer struct {
	ids     atomic.Pointer[[]string]
	fresh   time.Duration
	delay   time.Duration
	down    atomic.Bool
	fetches atomic.Int32
}

func newKeyServer(ids ...string) *keyServer {
	k := new(keyServer)
	k.ids.Store(&ids)
	return k
}

func (k *keyServer) set() *keySet {
	return newFetchedKeys(func() (keys []verifyKey, fresh time.Duration, err error) {
		k.fetches.Add(1)
		time.Sleep(k.delay)
		if k.down.Load() {
			return nil, 0, errUnreachable
		}
		for _, id := range *k.ids.Load() {
			keys = append(keys, verifyKey{id: id, key: ed25519.PublicKey(id), algs: []jose.SignatureAlgorithm{jose.EdDSA}})
		}
		return keys, k.fresh, nil
	})
}

func TestKeySet(t *testing.T) {
	// A step waits, changes the server, asks for a key, and says what comes of it and how often the server was asked.
	type step struct {
		wait    time.Duration
		do      func(*keyServer)
		id      string
		want    string // "found", "unknown", "unreachable"
		fetches int32
	}
	stop := func(k *keyServer) { k.down.Store(true) }
	start := func(k *keyServer) { k.down.Store(false) }
	has := func(ids ...string) func(*keyServer) { return func(k *keyServer) { k.ids.Store(&ids) } }
	cases := map[string][]step{
		"fetched once": {{id: "a", want: "found", fetches: 1}, {wait: time.Minute, id: "a", want: "found", fetches: 1}},
		"rotated": {
			{id: "a", want: "found", fetches: 1},
			{wait: 11 * time.Second, do: has("a", "b"), id: "b", want: "found", fetches: 2},
		},
		"unknown keys do not make us ask": {
			{id: "a", want: "found", fetches: 1}, {id: "../../dev/null", want: "unknown", fetches: 1},
			{wait: 9 * time.Second, id: "' OR 1=1 --", want: "unknown", fetches: 1},
			{wait: time.Second, id: "x", want: "unknown", fetches: 2}, {id: "y", want: "unknown", fetches: 2},
		},
		"withdrawn": {
			{id: "a", want: "found", fetches: 1},
			{wait: 11 * time.Minute, do: has("b"), id: "a", want: "found", fetches: 2}, // known; others are being fetched
			{id: "a", want: "unknown", fetches: 2},
		},
		"withdrawn while nobody asked": {
			{id: "a", want: "found", fetches: 1}, {wait: 2 * time.Hour, do: has("b"), id: "a", want: "unknown", fetches: 2},
		},
		"outage": {
			{id: "a", want: "found", fetches: 1},
			{wait: 23 * time.Hour, do: stop, id: "a", want: "found", fetches: 2},
			{wait: time.Second, id: "a", want: "found", fetches: 2}, // within the floor
			{wait: 2 * time.Hour, id: "a", want: "unreachable", fetches: 3},
			{wait: time.Minute, do: start, id: "a", want: "found", fetches: 4},
		},
		"down from the start": {
			{do: stop, id: "a", want: "unreachable", fetches: 1}, {do: start, id: "a", want: "unreachable", fetches: 1},
			{wait: 10 * time.Second, id: "a", want: "found", fetches: 2},
		},
	}
	for name, steps := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKeyServer("a")
				s := k.set()
				for i, step := range steps {
					time.Sleep(step.wait)
					if step.do != nil {
						step.do(k)
					}
					keys, err := s.find(t.Context(), step.id, jose.EdDSA)
					got := "unknown"
					switch {
					case errors.Is(err, errUnreachable):
						got = "unreachable"
					case len(keys) > 0:
						got = "found"
					}
					synctest.Wait()
					if n := k.fetches.Load(); got != step.want || n != step.fetches {
						t.Errorf("step %d: %s after %d fetches, want %s after %d", i, got, n, step.want, step.fetches)
					}
				}
			})
		})
	}
}

func TestKeySetCollapsesFetches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeyServer("a")
		k.delay = time.Second
		s := k.set()
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				id := "a"
				if i%2 == 1 {
					id = fmt.Sprint("unknown", i)
				}
				if keys, err := s.find(t.Context(), id, jose.EdDSA); err != nil || (len(keys) == 1) != (id == "a") {
					t.Errorf("%s: %v, %v", id, keys, err)
				}
			})
		}
		wg.Wait()
		if n := k.fetches.Load(); n != 1 {
			t.Errorf("%d fetches", n)
		}
	})
}

func TestKeySetIsFetchedWhenItsServerSays(t *testing.T) {
	for _, c := range []struct{ says, want time.Duration }{
		{0, 10 * time.Minute}, {time.Second, time.Minute}, {5 * time.Minute, 5 * time.Minute}, {50 * time.Hour, time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			k := newKeyServer("a")
			k.fresh = c.says
			s := k.set()
			for _, step := range []struct {
				at      time.Duration
				fetches int32
			}{{0, 1}, {c.want - 1, 1}, {1, 2}} {
				time.Sleep(step.at)
				_, _ = s.find(t.Context(), "a", jose.EdDSA)
				synctest.Wait()
				if n := k.fetches.Load(); n != step.fetches {
					t.Errorf("max-age %s: %d fetches, want %d", c.says, n, step.fetches)
				}
			}
		})
	}
}
