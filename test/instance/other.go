package instance

import (
	"net"
	"os/exec"
	"testing"
	"time"
)

// Serve runs a program that the suites need beside the instance, until stop is called or the test ends.
func Serve(t testing.TB, cmd *exec.Cmd) (stop func()) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// FreeAddress returns an address of this machine on which nobody listens now.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Await asks again until it is so: what happens in other processes cannot be waited for in another way.
func Await(t testing.TB, limit time.Duration, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(limit)
	for !so() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// AwaitListener waits until somebody listens on an address.
func AwaitListener(t testing.TB, limit time.Duration, address string) {
	t.Helper()
	Await(t, limit, address+" takes connections", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}
