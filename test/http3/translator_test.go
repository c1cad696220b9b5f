package http3_test

import (
	"net"
	"strconv"
	"testing"
)

// translator stands between a client and the program, as a router with address translation (NAT) does that takes
// another port for the client in the middle of a conversation. Neither of the two is told. forgets: what is sent to the
// port of before is lost from then on; a client that only receives would then have nothing to send by which the program
// could learn of the new one. It returns the port for the client.
func translator(t *testing.T, port string, forgets bool) string {
	t.Helper()
	const remembered = 200 // datagrams of the client
	to, err := net.ResolveUDPAddr("udp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	inside, before, after := listenUDP(t), listenUDP(t), listenUDP(t)
	came := 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 1<<16)
		for ; ; came++ {
			n, client, err := inside.ReadFromUDP(b)
			if err != nil {
				return
			}
			switch {
			case came == 0:
				go back(before, inside, client)
				go back(after, inside, client)
			case came == remembered && forgets:
				_ = before.Close()
			}
			outside := before
			if came >= remembered {
				outside = after
			}
			_, _ = outside.WriteToUDP(b[:n], to)
		}
	}()
	t.Cleanup(func() {
		_ = inside.Close()
		if <-done; came <= remembered {
			t.Errorf("the port was not changed: only %d datagrams came", came)
		}
	})
	return strconv.Itoa(inside.LocalAddr().(*net.UDPAddr).Port)
}

// back hands on what comes for the client.
func back(from, inside *net.UDPConn, client *net.UDPAddr) {
	b := make([]byte, 1<<16)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		_, _ = inside.WriteToUDP(b[:n], client)
	}
}

func listenUDP(t *testing.T) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
