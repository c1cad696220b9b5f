package breath_test

import (
	"net"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/internal/breath"
)

// What has come over the network is read while the only processor takes a breath.
func TestTakeLetsTheNetworkIn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	here, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	there, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	var read atomic.Int64
	go func() {
		for b := make([]byte, 1); ; {
			if _, err := there.Read(b); err != nil {
				return
			}
			read.Add(1)
		}
	}()
	const rounds = 100
	inTime := 0
	for n := range rounds {
		if _, err := here.Write([]byte{'x'}); err != nil {
			t.Fatal(err)
		}
		if breath.Take(); read.Load() == int64(n+1) {
			inTime++
		}
		for read.Load() <= int64(n) { // whatever the machine does: the next round begins when this is over
			breath.Take()
		}
	}
	if inTime < rounds/2 {
		t.Errorf("%d of %d bytes were read in a breath", inTime, rounds)
	}
}
