package stream_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair returns the two ends of a TCP connection.
func pair(t testing.TB) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = c.Close(), s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// script is a connection of which is read what stands in it, and nothing more.
type script struct {
	net.Conn
	in      io.Reader
	answers bytes.Buffer
}

func (s *script) Read(b []byte) (int, error)      { return s.in.Read(b) }
func (s *script) Write(b []byte) (int, error)     { return s.answers.Write(b) }
func (s *script) SetReadDeadline(time.Time) error { return nil }
func (s *script) LocalAddr() net.Addr             { return &net.TCPAddr{} }
func (s *script) RemoteAddr() net.Addr            { return &net.TCPAddr{} }

// clientHello returns what a client of crypto/tls begins with.
func clientHello(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	client, server := net.Pipe()
	failed := make(chan error, 1)
	go func() { failed <- tls.Client(client, config).Handshake() }()
	buffer := make([]byte, 16<<10)
	n, err := server.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	_ = server.Close()
	<-failed
	return buffer[:n]
}

var (
	sslRequest = []byte{0, 0, 0, 8, 4, 210, 22, 47}
	gssRequest = []byte{0, 0, 0, 8, 4, 210, 22, 48}
)

func TestSniff(t *testing.T) {
	hello := clientHello(t, &tls.Config{ServerName: "db.example", NextProtos: []string{"postgresql", "h2"}})
	nameless := clientHello(t, &tls.Config{InsecureSkipVerify: true})
	known := stream.Hello{TLS: true, ServerName: "db.example", ALPN: []string{"postgresql", "h2"}}
	more := append(slices.Clone(hello), "early"...)
	ofPostgres := known
	ofPostgres.Postgres = true
	for name, tc := range map[string]struct {
		parts    [][]byte // each arrives by itself
		postgres bool
		want     stream.Hello
		answers  string
		rest     []byte // what can be read afterwards
		fails    bool
	}{
		"http":             {parts: [][]byte{[]byte("GET / HTTP/1.1\r\n")}, rest: []byte("GET / HTTP/1.1\r\n")},
		"tls":              {parts: [][]byte{hello}, want: known, rest: hello},
		"tls without name": {parts: [][]byte{nameless}, want: stream.Hello{TLS: true}, rest: nameless},
		"tls, more":        {parts: [][]byte{more}, want: known, rest: more},
		"tls, nonsense":    {parts: [][]byte{{22, 3, 1, 0, 2, 9, 9}}, fails: true},
		"tls, cut":         {parts: [][]byte{hello[:40]}, fails: true},
		"postgres":         {parts: [][]byte{sslRequest, hello}, postgres: true, want: ofPostgres, answers: "S", rest: hello},
		"postgres, gss": {
			parts: [][]byte{gssRequest, sslRequest, hello}, postgres: true, want: ofPostgres, answers: "NS", rest: hello,
		},
		"postgres, plain": {
			parts: [][]byte{{0, 0, 0, 9, 0, 3, 0, 0, 0}}, postgres: true, rest: []byte{0, 0, 0, 9, 0, 3, 0, 0, 0},
		},
		"postgres, not asked for": {parts: [][]byte{sslRequest}, rest: sslRequest},
		"postgres, injected":      {parts: [][]byte{append(slices.Clone(sslRequest), hello...)}, postgres: true, fails: true},
		"postgres, no tls":        {parts: [][]byte{sslRequest, []byte("x")}, postgres: true, answers: "S", fails: true},
		"postgres, gss for ever": {
			parts: [][]byte{gssRequest, gssRequest, gssRequest}, postgres: true, answers: "NN", fails: true,
		},
		"nothing": {fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			var readers []io.Reader
			for _, p := range tc.parts {
				readers = append(readers, bytes.NewReader(p))
			}
			s := &script{in: io.MultiReader(readers...)}
			got, conn, err := stream.Sniff(s, tc.postgres, time.Minute)
			if (err != nil) != tc.fails {
				t.Fatal(err)
			}
			if s.answers.String() != tc.answers {
				t.Errorf("answered %q, want %q", s.answers.String(), tc.answers)
			}
			if tc.fails {
				return
			}
			if got.TLS != tc.want.TLS || got.ServerName != tc.want.ServerName || !slices.Equal(got.ALPN, tc.want.ALPN) ||
				got.Postgres != tc.want.Postgres {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			if rest, _ := io.ReadAll(conn); !bytes.Equal(rest, tc.rest) {
				t.Errorf("then there is %q, want %q", rest, tc.rest)
			}
		})
	}
}

// TestSniffByteByByte: it does not matter how the network cuts what a client sends.
func TestSniffByteByByte(t *testing.T) {
	hello := clientHello(t, &tls.Config{ServerName: "db.example"})
	s := &script{in: iotest.OneByteReader(bytes.NewReader(hello))}
	got, conn, err := stream.Sniff(s, false, 0)
	if err != nil || got.ServerName != "db.example" {
		t.Fatal(got, err)
	}
	if rest, _ := io.ReadAll(conn); !bytes.Equal(rest, hello) {
		t.Error("bytes are lost")
	}
}

// TestSniffSilence: a client that waits for the other side to speak is no TLS client.
func TestSniffSilence(t *testing.T) {
	client, server := pair(t)
	hello, conn, err := stream.Sniff(server, true, time.Millisecond)
	if err != nil || hello.TLS {
		t.Fatal(hello, err)
	}
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Error("the limit of time still holds:", err)
	}
}

func FuzzSniff(f *testing.F) {
	f.Add(clientHello(f, &tls.Config{ServerName: "db.example", NextProtos: []string{"h2"}}), true)
	f.Add(slices.Concat(sslRequest, []byte{22}), true)
	f.Add(gssRequest, true)
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), false)
	f.Fuzz(func(t *testing.T, in []byte, postgres bool) {
		s := &script{in: bytes.NewReader(in)}
		hello, conn, err := stream.Sniff(s, postgres, 0)
		if err != nil || hello.Postgres || s.answers.Len() > 0 {
			return
		}
		if hello.TLS && in[0] != 22 {
			t.Errorf("%q counts as TLS", in)
		}
		if rest, _ := io.ReadAll(conn); !bytes.Equal(rest, in) {
			t.Errorf("%q became %q", in, rest)
		}
	})
}

// TestPumpHalfClose: a client that only stops sending is still answered.
func TestPumpHalfClose(t *testing.T) {
	client, near := pair(t)
	far, service := pair(t)
	done := make(chan stream.Passed, 1)
	go func() { done <- stream.Pump(stream.Early(near, []byte("he")), far, stream.Limits{}) }()
	send(t, client, "llo")
	if got := receive(t, service); got != "hello" {
		t.Errorf("the service got %q", got)
	}
	send(t, service, "goodbye") // after the client's end
	if got := receive(t, client); got != "goodbye" {
		t.Errorf("the client got %q", got)
	}
	if got := <-done; got != (stream.Passed{FromClient: 5, FromService: 7}) {
		t.Errorf("counted %+v", got)
	}
}

// send sends text and then that nothing more comes.
func send(t *testing.T, c *net.TCPConn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, c net.Conn) string {
	t.Helper()
	got, err := io.ReadAll(c)
	if err != nil {
		t.Error(err)
	}
	return string(got)
}

// TestPumpTermination: with a limit, the other direction ends after it.
func TestPumpTermination(t *testing.T) {
	client, near := pair(t)
	far, service := pair(t)
	done := make(chan struct{})
	go func() { defer close(done); stream.Pump(near, far, stream.Limits{Termination: time.Millisecond}) }()
	send(t, client, "")
	receive(t, service)
	receive(t, client) // the service never ends
	<-done
}

// TestPumpBroken: when one side is gone, the other is, too.
func TestPumpBroken(t *testing.T) {
	client, near := pair(t)
	far, service := pair(t)
	done := make(chan struct{})
	go func() { defer close(done); stream.Pump(near, far, stream.Limits{}) }()
	if err := service.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = service.Close()
	if n, err := client.Read(make([]byte, 1)); err == nil {
		t.Error("read", n)
	}
	<-done
}

// TestPumpIdle: a pump ends when nothing has come from either side for so long, and not while something does.
func TestPumpIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, near := net.Pipe()
		far, service := net.Pipe()
		begun, done := time.Now(), make(chan stream.Passed)
		go func() { done <- stream.Pump(near, far, stream.Limits{Idle: time.Hour}) }()
		for range 3 { // of one side only
			time.Sleep(50 * time.Minute)
			go func() { _, _ = service.Write([]byte("x")) }()
			if _, err := client.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		if got := <-done; got != (stream.Passed{FromService: 3, Idle: true}) {
			t.Errorf("%+v", got)
		}
		if took := time.Since(begun); took != 3*50*time.Minute+time.Hour {
			t.Errorf("ended after %v", took)
		}
		_, _ = client.Close(), service.Close()
	})
}

// TestPumpIdleInTheKernel: the same where no byte is seen here.
func TestPumpIdleInTheKernel(t *testing.T) {
	client, near := pair(t)
	far, service := pair(t)
	done := make(chan stream.Passed, 1)
	go func() { done <- stream.Pump(near, far, stream.Limits{Idle: 500 * time.Millisecond}) }()
	last := time.Now()
	for range 10 {
		last = time.Now()
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(service, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	receive(t, client)
	if got := <-done; got != (stream.Passed{FromClient: 10, Idle: true}) || time.Since(last) < 490*time.Millisecond {
		t.Errorf("%+v after %v", got, time.Since(last))
	}
}

func TestDatagrams(t *testing.T) {
	a, b := pair(t)
	from, to := stream.NewDatagrams(a), stream.NewDatagrams(b)
	long := bytes.Repeat([]byte("x"), stream.MaxDatagram)
	for _, sent := range [][]byte{[]byte("a"), {}, long, []byte("after")} {
		go func() { _, _ = from.Write(sent) }()
		buffer := make([]byte, stream.MaxDatagram)
		n, err := to.Read(buffer)
		if err != nil || !bytes.Equal(buffer[:n], sent) {
			t.Errorf("of %d bytes came %d, %v", len(sent), n, err)
		}
	}
	if _, err := from.Write(append(long, 'x')); err == nil {
		t.Error("a datagram that is too long was sent")
	}
	go func() { _, _ = from.Write([]byte("longer")); _, _ = from.Write([]byte("next")) }()
	short := make([]byte, 4)
	for _, want := range []string{"long", "next"} {
		if n, err := to.Read(short); err != nil || string(short[:n]) != want {
			t.Errorf("got %q, %v, want %q", short[:n], err, want)
		}
	}
}

func FuzzDatagrams(f *testing.F) {
	f.Add([]byte{0, 1, 'a', 0, 0, 0, 2, 'b', 'c'})
	f.Add([]byte{0, 9, 'a'})
	f.Fuzz(func(t *testing.T, in []byte) {
		d := stream.NewDatagrams(&script{in: bytes.NewReader(in)})
		buffer := make([]byte, stream.MaxDatagram)
		var again script
		out := stream.NewDatagrams(&again)
		for {
			n, err := d.Read(buffer)
			if whole := again.answers.Len() == len(in); err != nil {
				if ended := errors.Is(err, io.EOF); ended && !whole || !ended && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%v after %d of %d bytes", err, again.answers.Len(), len(in))
				}
				break
			}
			_, _ = out.Write(buffer[:n])
		}
		if !bytes.HasPrefix(in, again.answers.Bytes()) {
			t.Errorf("%q became %q", in, again.answers.Bytes())
		}
	})
}
