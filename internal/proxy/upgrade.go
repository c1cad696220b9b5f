package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"
)

// upgradeType returns the protocol that a message wants to change to, "" where none (RFC 9110 §7.8).
func upgradeType(h http.Header) string {
	if !httpguts.HeaderValuesContainsToken(h["Connection"], "Upgrade") {
		return ""
	}
	return h.Get("Upgrade")
}

// wantedUpgrade returns the protocols that a client may change to, as a list in its order. Other versions of HTTP and
// TLS are not among them: in those, a client would speak past every rule here to the service. A connection of HTTP/1.1
// can change; later versions have extended CONNECT instead.
func wantedUpgrade(r *http.Request) string {
	if r.ProtoMajor != 1 || r.ProtoMinor == 0 || upgradeType(r.Header) == "" {
		return ""
	}
	return passable(r.Header["Upgrade"])
}

// passable returns those of the protocols that a client may change to.
func passable(lists []string) string {
	var wanted []string
	for _, list := range lists {
		for protocol := range strings.SplitSeq(list, ",") {
			protocol = strings.TrimSpace(protocol)
			name, _, _ := strings.Cut(strings.ToLower(protocol), "/")
			if name != "" && name != "h2c" && name != "h2" && name != "http" && name != "tls" {
				wanted = append(wanted, protocol)
			}
		}
	}
	return strings.Join(wanted, ", ")
}

// tunnels are the connections, and streams, that left HTTP. The engine does not know when they end, so they are drained
// here.
type tunnels struct {
	mu     sync.Mutex
	open   map[io.Closer]struct{}
	closed bool
	ended  sync.Cond // one of them; of mu
}

func newTunnels() *tunnels {
	t := &tunnels{open: make(map[io.Closer]struct{})}
	t.ended.L = &t.mu
	return t
}

func (t *tunnels) add(client io.Closer) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.open[client] = struct{}{}
	return true
}

func (t *tunnels) remove(client io.Closer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, client)
	t.ended.Broadcast()
}

// drain waits for the tunnels to end by themselves until ctx is done, then cuts them.
func (t *tunnels) drain(ctx context.Context) {
	ended := make(chan struct{})
	go func() { t.wait(); close(ended) }()
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	t.cut()
	<-ended
}

// wait returns when none is open. Not a sync.WaitGroup: some may still begin.
func (t *tunnels) wait() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.open) > 0 {
		t.ended.Wait()
	}
}

// cut ends all of them.
func (t *tunnels) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for client := range t.open {
		_ = client.Close()
	}
}

// tunnel passes an upgrade through: the answer's head, then bytes both ways until both sides end.
func (t *tunnels) tunnel(w http.ResponseWriter, answer *http.Response, x *exchange) error {
	got := upgradeType(answer.Header)
	if got == "" || !httpguts.HeaderValuesContainsToken([]string{x.upgrade}, got) {
		return fmt.Errorf("the service changed to %q where the client wanted %q", got, x.upgrade)
	}
	service, ok := answer.Body.(io.ReadWriteCloser)
	if !ok {
		return errors.New("the connection to the service cannot be written to after an upgrade")
	}
	defer func() { _ = service.Close() }()
	if x.connect != nil {
		return t.connectStream(w, service, answer, x)
	}
	x.signAnswer(answer)
	maps.Copy(w.Header(), answer.Header)
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", got)
	w.WriteHeader(http.StatusSwitchingProtocols)
	client, early, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("taking over the client's connection: %w", err)
	}
	defer func() { _ = client.Close() }()
	if !t.add(client) {
		return nil
	}
	defer t.remove(client)
	if err := early.Flush(); err != nil {
		return fmt.Errorf("sending the upgrade to the client: %w", err)
	}
	join(end{early, client}, end{service, service}, x.ended) // early: what came already, then the rest
	return nil
}

// silence is for how long a side may send nothing once the other has ended.
const silence = time.Minute

// end is one end of a tunnel: what is read from it, and what it is itself, so that the kernel may move the bytes.
type end struct {
	io.Reader
	io.WriteCloser
}

// join passes bytes both ways until both sides have ended, or done is closed. Where one ends, the other is told so and
// may go on until it falls silent; where one breaks, both are closed.
func join(client, service end, done <-chan struct{}) {
	ended := make(chan bool, 2)
	go func() { ended <- pass(service, client) }()
	go func() { ended <- pass(client, service) }()
	for left := 2; left > 0; {
		orderly := false
		select {
		case orderly = <-ended:
			left--
		case <-done:
			done = nil
		}
		if !orderly {
			_ = client.Close()
			_ = service.Close()
		}
	}
}

// pass copies until src ends, and tells dst so. It reports whether dst may go on.
func pass(dst, src end) bool {
	for {
		n, err := io.Copy(dst.WriteCloser, src.Reader)
		if err == nil {
			return dst.hush() && closeWrite(dst.WriteCloser) == nil
		}
		if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !src.hush() {
			return false
		}
	}
}

// hush bounds the silence of an end, from now on.
func (e end) hush() bool {
	conn, ok := e.WriteCloser.(interface{ SetReadDeadline(by time.Time) error })
	return ok && conn.SetReadDeadline(time.Now().Add(silence)) == nil
}
