package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newLog(t testing.TB, w io.Writer, format string) *AccessLog {
	t.Helper()
	l, err := NewAccessLog(w, format)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAccessLogFormats(t *testing.T) {
	for format, file := range map[string]string{JSON: "access.json", Common: "access.log"} {
		t.Run(format, func(t *testing.T) {
			var out bytes.Buffer
			l := newLog(t, &out, format)
			for _, x := range exchanges() {
				l.Served(x)
			}
			l.write()
			golden(t, file, out.String())
			if got, want := strings.Count(out.String(), "\n"), len(exchanges()); got != want {
				t.Errorf("%d lines, want %d", got, want)
			}
			if strings.Contains(out.String(), "secret") {
				t.Error("a query was logged")
			}
		})
	}
}

func TestAccessLogUnknownFormat(t *testing.T) {
	if _, err := NewAccessLog(io.Discard, "xml"); err == nil || !strings.Contains(err.Error(), `"xml"`) {
		t.Errorf("error %v", err)
	}
	newLog(t, io.Discard, "")
}

func TestAccessLogCutsLongText(t *testing.T) {
	var out bytes.Buffer
	l := newLog(t, &out, JSON)
	l.Served(&Exchange{Path: strings.Repeat("é\x00", 1<<20), Host: "h"})
	l.write()
	var line struct{ Host, Path string }
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if line.Host != "h" || len(line.Path) > maxText+len("…") || !strings.HasSuffix(line.Path, "…") {
		t.Errorf("host %q, %d bytes of path", line.Host, len(line.Path))
	}
}

// gate is a writer that counts writes, and lets them through only while it is open.
type gate struct {
	mu     sync.Mutex
	out    bytes.Buffer
	writes int
	open   chan struct{}
	err    error
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	g.writes++
	if g.err != nil {
		return 0, g.err
	}
	return g.out.Write(p)
}

func (g *gate) lines() (lines, writes int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return bytes.Count(g.out.Bytes(), []byte("\n")), g.writes
}

// logTo runs test with a log on g. Afterwards everything that was not dropped is written.
func logTo(t *testing.T, g *gate, test func(l *AccessLog)) {
	synctest.Test(t, func(t *testing.T) {
		g.open = make(chan struct{})
		l := newLog(t, g, JSON)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		test(l)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestAccessLogWritesManyLinesAtOnce(t *testing.T) {
	g := &gate{}
	logTo(t, g, func(l *AccessLog) {
		close(g.open)
		for range 10 {
			l.Served(&Exchange{})
		}
		<-time.After(writeDelay - 1)
		synctest.Wait()
		if lines, _ := g.lines(); lines != 0 {
			t.Errorf("%d lines were written at once", lines)
		}
		<-time.After(1)
		synctest.Wait()
		if lines, writes := g.lines(); lines != 10 || writes != 1 {
			t.Errorf("%d lines in %d writes, want 10 in 1", lines, writes)
		}
		l.Served(&Exchange{})
	})
	if lines, writes := g.lines(); lines != 11 || writes != 2 {
		t.Errorf("at the end %d lines in %d writes, want 11 in 2", lines, writes)
	}
}

// What came while a write was under way is written at the end.
func TestAccessLogLosesNothingAtTheEnd(t *testing.T) {
	for range 20 { // Run may see either first: the line, or the end
		g := &gate{}
		synctest.Test(t, func(t *testing.T) {
			g.open = make(chan struct{})
			l := newLog(t, g, JSON)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- l.Run(ctx) }()
			l.Served(&Exchange{})
			<-time.After(2 * writeDelay)
			l.Served(&Exchange{})
			cancel()
			close(g.open)
			<-done
		})
		if lines, _ := g.lines(); lines != 2 {
			t.Fatalf("%d lines, want 2", lines)
		}
	}
}

func TestAccessLogDoesNotLetMuchWait(t *testing.T) {
	g := &gate{}
	logTo(t, g, func(l *AccessLog) {
		close(g.open)
		n := 0
		for size := 0; size < writeAt; n++ {
			size += len(appendJSON(nil, &Exchange{}))
			l.Served(&Exchange{})
		}
		synctest.Wait()
		if lines, _ := g.lines(); lines != n {
			t.Errorf("%d lines, want %d without delay", lines, n)
		}
	})
}

func TestAccessLogDropsRatherThanBlocks(t *testing.T) {
	g := &gate{}
	const n = 3 * maxPending / 200
	logTo(t, g, func(l *AccessLog) {
		for range n {
			l.Served(&Exchange{}) // no write comes back meanwhile
		}
		dropped := int(l.Dropped())
		if dropped == 0 || dropped >= n {
			t.Errorf("%d of %d dropped", dropped, n)
		}
		close(g.open)
		<-time.After(2 * writeDelay)
		synctest.Wait()
		if lines, _ := g.lines(); lines != n-dropped {
			t.Errorf("%d lines, want %d", lines, n-dropped)
		}
		l.Served(&Exchange{})
		if int(l.Dropped()) != dropped {
			t.Error("drops though there is space again")
		}
	})
}

func TestAccessLogGoesOnAfterAnError(t *testing.T) {
	g := &gate{err: errors.New("no space")}
	logTo(t, g, func(l *AccessLog) {
		close(g.open)
		l.Served(&Exchange{})
		l.Served(&Exchange{})
		<-time.After(writeDelay)
		synctest.Wait()
		if l.Dropped() != 2 {
			t.Errorf("%d dropped, want 2", l.Dropped())
		}
		g.mu.Lock()
		g.err = nil
		g.mu.Unlock()
		l.Served(&Exchange{})
	})
	if lines, _ := g.lines(); lines != 1 {
		t.Errorf("%d lines, want 1", lines)
	}
}

func TestAccessLogRace(t *testing.T) {
	g := &gate{}
	const each = 500
	logTo(t, g, func(l *AccessLog) {
		close(g.open)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range each {
					l.Served(exchanges()[0])
				}
			})
		}
		wg.Wait()
		if l.Dropped() != 0 {
			t.Errorf("%d dropped", l.Dropped())
		}
	})
	lines, _ := g.lines()
	want := string(appendJSON(nil, exchanges()[0]))
	if got := g.out.String(); lines != 4*each || got != strings.Repeat(want, lines) {
		t.Errorf("%d lines, want %d equal ones", lines, 4*each)
	}
}

// Whatever a client sends, a line is one line, of printable text, and JSON that says the same.
func FuzzLine(f *testing.F) {
	f.Add("/a\"b\\c\n\x1b", "a.example")
	f.Fuzz(func(t *testing.T, path, host string) {
		x := &Exchange{Path: path, Host: host, Method: host, ClientAddr: host}
		for _, line := range [][]byte{appendJSON(nil, x), appendCommon(nil, x)} {
			if i := bytes.IndexFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }); i != len(line)-1 {
				t.Errorf("%q has a control character at %d", line, i)
			}
		}
		var got struct{ Host string }
		if err := json.Unmarshal(appendJSON(nil, x), &got); err != nil {
			t.Fatal(err)
		}
		if utf8.ValidString(host) && len(host) <= maxText && got.Host != host {
			t.Errorf("host %q became %q", host, got.Host)
		}
	})
}

func TestAccessLogAllocatesNothing(t *testing.T) {
	x := exchanges()[1]
	for _, format := range []string{JSON, Common} {
		l := newLog(t, io.Discard, format)
		n := 0
		got := testing.AllocsPerRun(1000, func() {
			l.Served(x)
			if n++; n%100 == 0 {
				l.write()
			}
		})
		if got > 0 {
			t.Errorf("%s: %v allocations a line", format, got)
		}
	}
}

func BenchmarkAccessLog(b *testing.B) {
	for _, format := range []string{JSON, Common} {
		b.Run(format, func(b *testing.B) {
			l := newLog(b, io.Discard, format)
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error)
			go func() { done <- l.Run(ctx) }()
			x := exchanges()[0]
			b.ReportAllocs()
			for b.Loop() {
				l.Served(x)
			}
			cancel()
			<-done
		})
	}
}

// The rules of a firewall are told where one matches.
func TestAccessLogHasTheRules(t *testing.T) {
	var out bytes.Buffer
	l := newLog(t, &out, JSON)
	l.Served(&Exchange{Rules: []int{942100, 949110}})
	l.Served(&Exchange{})
	l.write()
	if got := out.String(); strings.Count(got, `"waf"`) != 1 || !strings.Contains(got, `,"waf":[942100,949110]}`) {
		t.Error(got)
	}
}

// What is not to be told is not.
func TestQuietExchanges(t *testing.T) {
	var out bytes.Buffer
	l, m := newLog(t, &out, JSON), NewMetrics()
	x := *exchanges()[0]
	x.Unlogged, x.Unmeasured = true, true
	l.Served(&x)
	m.Served(&x)
	l.write()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "fairlead_requests_total" {
			t.Errorf("counted: %v", f)
		}
	}
	if out.Len() > 0 {
		t.Errorf("logged: %s", out.String())
	}
}
