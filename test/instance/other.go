package instance

import (
	"fmt"
	"math/rand/v2"
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

// FreeAddress returns an address of this machine on which nobody listens now, and which is nobody else's until the test
// ends: what begins to listen there may take a while to come. Its port is not one of those that the system gives to
// connections, so that a server that is stopped finds it free when it is started again.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := 10000 + rand.IntN(20000)
		// Whoever has the port here has it there, in this process or another.
		claim, err := net.ListenPacket("udp", fmt.Sprintf("127.255.255.254:%d", port))
		if err != nil {
			continue
		}
		address := fmt.Sprintf("127.0.0.1:%d", port)
		l, err := net.Listen("tcp", address)
		if err != nil {
			_ = claim.Close()
			continue
		}
		_ = l.Close()
		t.Cleanup(func() { _ = claim.Close() })
		return address
	}
	t.Fatal("no port is free")
	return ""
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
