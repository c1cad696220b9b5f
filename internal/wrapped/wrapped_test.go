package wrapped

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/pires/go-proxyproto"
)

type counted struct{ net.Conn }

func (c counted) Unwrap() net.Conn { return c.Conn }

// A connection that is counted, and begins with a header of the PROXY protocol, is ended on one side.
func TestCloseWrite(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	theirs, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	ours, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	layers := counted{proxyproto.NewConn(counted{ours})}
	if Bare(layers) != layers.Conn || Below(Bare(layers)) != (counted{ours}) || Below(ours) != nil {
		t.Error("a layer is missing")
	}
	if err := CloseWrite(layers); err != nil {
		t.Fatal(err)
	}
	if n, err := theirs.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the other side reads %d, %v", n, err)
	}
}

// A pipe has no half.
func TestCloseWriteOfAWhole(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if err := CloseWrite(counted{a}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
}
