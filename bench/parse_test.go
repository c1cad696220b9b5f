//go:build linux

package main

import (
	"bytes"
	"testing"
	"time"
)

func TestParseWrk(t *testing.T) {
	got, err := parseWrk([]byte("Running 1s test\nRequests/sec:  15073.52\nbench: 15174 requests, 3 failed, 1006742 us\n"))
	if want := (tally{15174, 3, 1006742 * time.Microsecond}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if _, err := parseWrk([]byte("unable to connect to 127.0.0.1:1 Connection refused\n")); err == nil {
		t.Error("a load that did not run is taken for one")
	}
}

func TestParseH2load(t *testing.T) {
	text := `
finished in 1.03s, 9765.00 req/s, 1.81MB/s
requests: 10021 total, 10021 started, 9765 done, 9764 succeeded, 1 failed, 0 errored, 0 timeout
status codes: 9764 2xx, 0 3xx, 0 4xx, 1 5xx
`
	got, err := parseH2load([]byte(text))
	if want := (tally{9764, 1, 1030 * time.Millisecond}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if _, err := parseH2load([]byte("could not resolve host\n")); err == nil {
		t.Error("a load that did not run is taken for one")
	}
}

func TestParsePSS(t *testing.T) {
	const text = "400000-7ffd0000 ---p 00000000 00:00 0  [rollup]\nRss:            9736 kB\nPss:            7011 kB\n"
	got, err := parsePSS([]byte(text))
	if err != nil || got != 7011 {
		t.Errorf("%d, %v; want 7011", got, err)
	}
	if _, err := parsePSS([]byte("Rss: 1 kB\n")); err == nil {
		t.Error("no error without Pss")
	}
}

func TestVersionIn(t *testing.T) {
	for _, test := range []struct {
		text string
		ours bool
		want string
	}{
		{"nginx version: nginx/1.22.1\n", false, "1.22.1"},
		{"HAProxy version 2.6.12-1+deb12u4 2026/10/17", false, "2.6.12"},
		{"v2.11.0 h1:abc=", false, "2.11.0"},
		{"fairlead dev (unknown revision, link protocol 1, go1.26.8 linux/amd64)", true, "dev"},
		{"?", false, "unknown"},
	} {
		if got := versionIn([]byte(test.text), test.ours); got != test.want {
			t.Errorf("%q: %q, want %q", test.text, got, test.want)
		}
	}
}

// An answer may come in pieces that end anywhere.
func TestTakeInPieces(t *testing.T) {
	answer := "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
	for cut := range len(answer) {
		var c openConn
		for i, piece := range []string{answer[:cut], answer[cut:]} {
			whole, err := c.take([]byte(piece))
			if err != nil || whole != (i == 1) {
				t.Fatalf("cut at %d, piece %d: whole %v, %v", cut, i, whole, err)
			}
		}
		if !c.close {
			t.Fatalf("cut at %d: the end of the connection was not seen", cut)
		}
	}
}

func TestTakeRefuses(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
	} {
		if _, err := new(openConn).take([]byte(answer)); err == nil {
			t.Errorf("taken: %q", answer)
		}
	}
}

// Every proxy's files can be made for all sites, and name what they serve.
func TestConfigurations(t *testing.T) {
	all := peers()
	for _, name := range []string{"fairlead.yaml.tmpl", "fairlead-bare.yaml.tmpl", "fairlead-log.yaml.tmpl"} {
		all = append(all, fairlead(name))
	}
	for _, p := range all {
		for _, kind := range []string{one, compressed, cached, eachOne, many} {
			s, err := newSite(kind, 80)
			if err != nil {
				t.Fatal(err)
			}
			s.HTTP, s.HTTPS, s.H2C = "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"
			contents, err := proxy{peer: p}.configuration(s)
			if err != nil {
				t.Fatalf("%s: %v", p.program, err)
			}
			last, found := s.Routes[len(s.Routes)-1].Host, false
			for _, content := range contents {
				found = found || bytes.Contains(content, []byte(last))
			}
			if !found {
				t.Errorf("%s, %s: no file names %s", p.program, kind, last)
			}
		}
	}
}
