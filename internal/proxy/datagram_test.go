package proxy

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// udpEcho answers each datagram with a name before it.
func udpEcho(t *testing.T, name string) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 64<<10)
		for {
			n, from, err := c.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(append([]byte(name), buffer[:n]...), from)
		}
	}()
	t.Cleanup(func() { _ = c.Close(); <-done })
	return c.LocalAddr().String()
}

func udpEntryPoint(o *Options) {
	o.EntryPoints = append(o.EntryPoints, EntryPoint{
		Name: "dns", Address: "127.0.0.1:0", Default: true, UDP: true, SessionTimeout: time.Minute, Connections: 3,
	})
}

func dialUDP(t *testing.T, addr net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial("udp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func exchangeDatagram(t *testing.T, c net.Conn, text string) string {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 64<<10)
	n, err := c.Read(buffer)
	if err != nil {
		return err.Error()
	}
	return string(buffer[:n])
}

func TestDatagrams(t *testing.T) {
	var w streamWorld
	w.add(model.LaneUDP, "dns", "", nil, udpEcho(t, "echo:"))
	o, observing := observe()
	b := start(t, w.snapshot(), udpEntryPoint, observing)
	clients := []net.Conn{dialUDP(t, b.Addr("dns")), dialUDP(t, b.Addr("dns"))}
	long := strings.Repeat("x", 60_000)
	for _, text := range []string{"one", "", long, "two"} {
		for _, c := range clients {
			if got := exchangeDatagram(t, c, text); got != "echo:"+text {
				t.Errorf("%d bytes became %d", len(text), len(got))
			}
		}
	}
	b.stop()
	for range clients {
		if x := <-o.streams; x.Lane != "udp" || x.BytesIn != 60_006 || x.BytesOut != 60_026 {
			t.Errorf("told %+v", x)
		}
	}
}

// TestDatagramsNobodyHears: a service that is not there is left for another.
func TestDatagramsNobodyHears(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := c.LocalAddr().String()
	_ = c.Close()
	var w streamWorld
	w.add(model.LaneUDP, "dns", "", nil, gone, udpEcho(t, ""))
	o, observing := observe()
	b := start(t, w.snapshot(), udpEntryPoint, observing)
	for range 20 {
		c := dialUDP(t, b.Addr("dns"))
		_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		if exchangeDatagram(t, c, "x") == "x" {
			return
		}
		<-o.streams // the session has ended, because the service refused it
	}
	t.Error("no datagram came to the service that is there")
}

func TestDatagramLimits(t *testing.T) {
	var w streamWorld
	w.add(model.LaneUDP, "dns", "", nil, udpEcho(t, ""))
	b := start(t, w.snapshot(), udpEntryPoint)
	for range 3 {
		if got := exchangeDatagram(t, dialUDP(t, b.Addr("dns")), "x"); got != "x" {
			t.Fatal(got)
		}
	}
	c := dialUDP(t, b.Addr("dns"))
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if got := exchangeDatagram(t, c, "x"); !strings.Contains(got, "timeout") {
		t.Errorf("the fourth: %q", got)
	}
}
