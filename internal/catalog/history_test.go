package catalog

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{})
		wants := func(when string, changed time.Time, again int, failure string) {
			t.Helper()
			if h := c.History("file/a"); !h.Changed.Equal(changed) || h.Again != again || h.Failure != failure {
				t.Errorf("%s: %+v", when, h)
			}
		}
		wants("nothing was heard", time.Time{}, 0, "")
		c.Fail("file/a", errRefused)
		wants("it failed from the start", time.Time{}, 0, "connection refused")
		first := one("file/a", 1)
		c.Set(first)
		start := time.Now()
		wants("the first snapshot", start, 0, "")

		time.Sleep(time.Minute)
		c.Fail("file/a", errRefused)
		wants("it failed", start, 0, "connection refused")
		c.Set(first)
		wants("it is back, and the same", start, 1, "")
		c.Set(one("file/a", 2))
		wants("it changed", time.Now(), 1, "")
		c.Forget("file/a")
		wants("it is forgotten", time.Time{}, 0, "")
	})
}
