package proxy

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestConnectionsPerClient(t *testing.T) {
	o := &EntryPoint{
		ConnectionsPerClient: 2,
		Trusted:              []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		ProxyProtocol:        []netip.Prefix{netip.MustParsePrefix("2001:db8:f::/48")},
	}
	l := newConnectionLimits(o, 100, slog.New(slog.DiscardHandler))
	for _, c := range []struct {
		addr     string
		admitted bool
	}{
		{"192.0.2.1", true}, {"192.0.2.1", true}, {"192.0.2.1", false},
		{"192.0.2.2", true},                                                  // another client
		{"2001:db8::1", true}, {"2001:db8::2", true}, {"2001:db8::3", false}, // one network
		{"2001:db8:0:1::1", true},
		{"10.1.2.3", true}, {"10.1.2.3", true}, {"10.1.2.3", true}, // a proxy in front
		{"2001:db8:f::1", true}, {"2001:db8:f::1", true}, {"2001:db8:f::1", true},
	} {
		if got := l.admit(netip.MustParseAddr(c.addr)); got != c.admitted {
			t.Errorf("%s admitted: %v", c.addr, got)
		}
	}
	for _, addr := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::9", "2001:db8::9", "2001:db8:0:1::1",
		"10.1.2.3", "10.1.2.3", "10.1.2.3", "2001:db8:f::1", "2001:db8:f::1", "2001:db8:f::1"} {
		l.release(netip.MustParseAddr(addr))
	}
	if l.open != 0 || len(l.clients) != 0 {
		t.Errorf("left: %d %v", l.open, l.clients)
	}
}

// A flood of refused connections is a line a minute.
func TestRefusedConnectionsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l := newConnectionLimits(&EntryPoint{ConnectionsPerClient: 1}, 2, slog.New(slog.NewTextHandler(&log, nil)))
		a, b, c := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
		l.admit(a)
		for range 100 {
			l.admit(a)
		}
		time.Sleep(time.Minute)
		l.admit(b)
		for range 100 {
			l.admit(c)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "limit=connectionsPerClient client=192.0.2.1") ||
			!strings.Contains(lines[1], "limit=connections client=192.0.2.3") {
			t.Errorf("%q", lines)
		}
	})
}
