package access

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"
)

func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, newMemory())
		stop := f.run()
		synctest.Wait()
		mortal, _ := f.create(Spec{Owner: "o", Scopes: []string{"admin"}, Expires: time.Now().Add(24*time.Hour + 1)})
		old, key := f.create(Spec{Owner: "o", Scopes: []string{"admin"}})
		fresh := f.rotate(key.ID, 10*time.Second) // before Run looks at the clock again: it must be told
		mortalSession, oldSession := f.want(mortal, "admin", ""), f.want(old, "admin", "")
		freshSession := f.want(fresh, "admin", "")
		began := time.Now()

		<-oldSession.Done()
		if passed := time.Since(began); passed != 10*time.Second {
			t.Errorf("the overlap of ten seconds ended after %v", passed)
		}
		f.want(old, "admin", Expired)
		<-mortalSession.Done()
		if passed := time.Since(began); passed != 24*time.Hour+1 {
			t.Errorf("the key of a day ended after %v", passed)
		}
		f.want(mortal, "admin", Expired)
		if f.want(fresh, "admin", ""); isDone(freshSession) {
			t.Error("a key without expiry ended")
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		states := ""
		for _, k := range f.List() {
			states += k.State(time.Now()) + " "
		}
		if f.log.Len() > 0 || strings.Count(states, "active") != 1 || strings.Count(states, "expired") != 1 {
			t.Errorf("states %s log %s", states, f.log.String())
		}
	})
}

// TestTimeWithoutRun: a key that is over is refused even where nobody ends its session.
func TestTimeWithoutRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, newMemory())
		presented, key := f.create(Spec{Owner: "o", Scopes: []string{"admin"}, Expires: time.Now().Add(time.Hour)})
		timer := time.NewTimer(time.Hour - 1)
		<-timer.C
		f.want(presented, "admin", "")
		timer.Reset(1)
		<-timer.C
		f.want(presented, "admin", Expired)
		if _, err := f.Rotate(t.Context(), key.ID, 0); !errors.Is(err, ErrEnded) {
			t.Errorf("rotating an expired key: %v", err)
		}
	})
}

func TestLastUseIsWrittenOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, newMemory())
		presented, key := f.create(Spec{Owner: "o", Scopes: []string{"admin"}})
		f.create(Spec{Owner: "idle", Scopes: []string{"admin"}})
		puts := f.store.puts
		stop := f.run()
		ticker := time.NewTicker(time.Second)
		for range 5 * 60 {
			<-ticker.C
			f.want(presented, "admin", "")
		}
		last := time.Now().UTC()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if n := f.store.puts - puts; n < 5 || n > 6 {
			t.Errorf("%d writes in five minutes", n)
		}
		got, err := newFixture(t, f.store).Get(key.ID)
		if err != nil || !got.LastUsed.Equal(last) {
			t.Errorf("after a restart: %v, want %v (%v)", got.LastUsed, last, err)
		}
	})
}

// TestReplicas: what one replica does to a key, the other knows at once.
func TestReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		a, b := newFixture(t, store), newFixture(t, store)
		before, lost := a.create(Spec{Owner: "before", Scopes: []string{"admin"}}) // b learns it from the load of its Run
		stop := b.run()
		synctest.Wait()
		b.want(before, "admin", "")

		presented, key := a.create(Spec{Owner: "o", Scopes: []string{"admin"}})
		synctest.Wait()
		session := b.want(presented, "admin", "")
		rotated := a.rotate(key.ID, time.Hour)
		synctest.Wait()
		if b.want(presented, "admin", "") != session || isDone(session) {
			t.Error("the session does not go on in the overlap of another replica's rotation")
		}
		b.want(rotated, "admin", "")
		if err := a.Revoke(t.Context(), key.ID); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if b.want(rotated, "admin", Revoked); !isDone(session) {
			t.Error("the session goes on after another replica's revocation")
		}

		session = b.want(before, "admin", "")
		store.delete(storePrefix + lost.ID)
		synctest.Wait()
		if b.want(before, "admin", Unknown); !isDone(session) {
			t.Error("the session goes on after its key was deleted")
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestRestoredKey: a key whose revocation is undone in the store (a backup) gets a session that has not ended.
func TestRestoredKey(t *testing.T) {
	f := newFixture(t, newMemory())
	presented, key := f.create(Spec{Owner: "o", Scopes: []string{"admin"}})
	backup := f.store.items[storePrefix+key.ID]
	if err := f.Revoke(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	revoked := f.store.items[storePrefix+key.ID]
	if _, err := f.store.Put(t.Context(), backup.Key, backup.Value, revoked.Version); err != nil {
		t.Fatal(err)
	}
	if err := f.reread(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	if isDone(f.want(presented, "admin", "")) {
		t.Error("the session has ended")
	}
}

func TestConflicts(t *testing.T) {
	store := newMemory()
	a, b := newFixture(t, store), newFixture(t, store)
	presented, key := a.create(Spec{Owner: "o", Scopes: []string{"admin"}})
	store.beforePut = func() { b.rotate(key.ID, time.Hour) } // b is faster
	if err := a.Revoke(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	a.want(presented, "admin", Revoked)
	if got, _ := a.Get(key.ID); got.Rotated.IsZero() {
		t.Errorf("the other's rotation was overwritten: %+v", got)
	}

	presented, key = a.create(Spec{Owner: "o", Scopes: []string{"admin"}})
	store.lostPuts = 1
	second := a.rotate(key.ID, time.Hour)
	a.want(presented, "admin", "") // not rotated twice
	a.want(second, "admin", "")
}

func TestStoreFails(t *testing.T) {
	down := errors.New("the store is down")
	store := newMemory()
	f := newFixture(t, store)
	presented, key := f.create(Spec{Owner: "o", Scopes: []string{"admin"}})
	session := f.want(presented, "admin", "")
	store.setFail(down)
	if _, _, err := f.Create(t.Context(), Spec{Owner: "o", Scopes: []string{"admin"}}); !errors.Is(err, down) {
		t.Errorf("Create: %v", err)
	}
	if _, err := f.Rotate(t.Context(), key.ID, 0); !errors.Is(err, down) {
		t.Errorf("Rotate: %v", err)
	}
	if err := f.Revoke(t.Context(), key.ID); !errors.Is(err, down) {
		t.Errorf("Revoke: %v", err)
	}
	if _, err := NewKeys(t.Context(), store, Options{}); !errors.Is(err, down) {
		t.Errorf("NewKeys: %v", err)
	}
	if err := f.Run(t.Context()); !errors.Is(err, down) {
		t.Errorf("Run: %v", err)
	}
	if f.want(presented, "admin", ""); isDone(session) || len(f.List()) != 1 {
		t.Error("losing the store stopped traffic")
	}
	if !strings.Contains(f.log.String(), "last use") {
		t.Errorf("log: %s", f.log.String())
	}

	store.setFail(nil)
	store.failPuts = down // it can be read, so that nobody else's write is to blame
	if err := f.Revoke(t.Context(), key.ID); !errors.Is(err, down) {
		t.Errorf("Revoke: %v", err)
	}
	f.want(presented, "admin", "")
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		f := newFixture(t, newMemory())
		go func() { ended <- f.Run(t.Context()) }()
		synctest.Wait()
		f.store.endWatches()
		if err := <-ended; !errors.Is(err, errWatchEnded) {
			t.Errorf("Run over a store that was closed: %v", err)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	f := newFixture(t, newMemory())
	stop := f.run()
	presented, _ := f.create(Spec{Owner: "o", Scopes: []string{"admin"}})
	var group errgroup.Group
	for range 2 {
		group.Go(func() error {
			for range 100 {
				_, other, err := f.Create(t.Context(), Spec{Owner: "o", Scopes: []string{"admin"}})
				if err != nil {
					return err
				}
				if _, err := f.Rotate(t.Context(), other.ID, time.Hour); err != nil {
					return err
				}
				if err := f.Revoke(t.Context(), other.ID); err != nil {
					return err
				}
				if _, err := f.Authorize(presented, "admin"); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := errors.Join(group.Wait(), stop()); err != nil {
		t.Error(err)
	}
	if n := len(f.List()); n != 201 {
		t.Errorf("%d keys, want 201", n)
	}
}
