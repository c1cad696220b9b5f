package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

// spliceTo tells a child process of this test the address of the service. The proxy is a process of its own there, so
// that the kernel counts its bytes alone.
const spliceTo = "FAIRLEAD_TEST_SPLICE_TO"

// What a stream of plain TCP carries is never read by the process: the kernel moves it from one socket to the other.
func TestStreamsStayInTheKernel(t *testing.T) {
	if addr := os.Getenv(spliceTo); addr != "" {
		var w streamWorld
		w.add(model.LaneTCP, "all", "*", nil, addr)
		b := start(t, w.snapshot(), func(o *Options) {
			o.EntryPoints[0].ConnectionsPerClient = 10 // counted connections are spliced, too
			o.Connections = func(string, string, int) {}
		})
		fmt.Println(b.Addr("web"))
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	const each = 32 << 20 // bytes each way
	service := listenTCP(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c); sendZeros(c, each) })
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestStreamsStayInTheKernel$")
	child.Env = append(os.Environ(), spliceTo+"="+service)
	in, _ := child.StdinPipe()
	out, _ := child.StdoutPipe()
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	before := bytesThrough(t, child.Process.Pid)
	conn, err := net.Dial("tcp", strings.TrimSpace(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sendZeros(conn, each)
	if n, err := io.Copy(io.Discard, conn); n != each || err != nil {
		t.Errorf("%d bytes came back: %v", n, err)
	}
	if through := bytesThrough(t, child.Process.Pid) - before; through > each/8 {
		t.Errorf("%d of %d bytes went through the process", through, 2*each)
	}
	_ = in.Close()
	_ = child.Wait()
}

// sendZeros sends so many bytes, and ends its side.
func sendZeros(c net.Conn, n int64) {
	_, _ = io.Copy(c, io.LimitReader(zeros{}, n))
	_ = c.(*net.TCPConn).CloseWrite()
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// bytesThrough returns how much a process has read and written, as the kernel counts: what it splices is not among it.
func bytesThrough(t *testing.T, pid int) (n int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		t.Skipf("the kernel does not count: %v", err)
	}
	var read, written int
	if _, err := fmt.Sscanf(string(text), "rchar: %d\nwchar: %d", &read, &written); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return read + written
}
