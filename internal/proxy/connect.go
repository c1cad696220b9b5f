package proxy

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/wire"
)

// protocolField is where the engines put the protocol that an extended CONNECT asks for (RFC 8441 §4).
const protocolField = ":protocol"

// connect is an extended CONNECT: a client that cannot change its connection, as other requests are on it, asks for a
// stream in another protocol. Services get it as the Upgrade of HTTP/1.1 that means the same.
type connect struct {
	stream io.ReadCloser // what the client sends once the protocol is changed
	key    string        // that WebSocket wants in HTTP/1.1, and only there (RFC 8441 §5)
}

// adoptConnect makes of an extended CONNECT what rules and middlewares know: a GET that wants to change.
func (x *exchange) adoptConnect(r *http.Request) {
	protocol := r.Header[protocolField]
	delete(r.Header, protocolField)
	if r.Method != http.MethodConnect || len(protocol) != 1 {
		return
	}
	if x.upgrade = passable(protocol); x.upgrade == "" {
		return // refused like any CONNECT
	}
	x.connect = &connect{stream: r.Body, key: rand.Text()}
	x.Method = http.MethodGet
	r.Method, r.Body, r.ContentLength = http.MethodGet, http.NoBody, 0
}

// askUpgrade adds the fields with which HTTP/1.1 asks for the change.
func (x *exchange) askUpgrade(set []wire.Field) []wire.Field {
	set = append(set, wire.Field{Key: "Connection", Value: "Upgrade"}, wire.Field{Key: "Upgrade", Value: x.upgrade})
	if x.connect != nil && x.isWebSocket() {
		set = append(set, wire.Field{Key: "Sec-Websocket-Key", Value: x.connect.websocketKey()})
	}
	return set
}

func (x *exchange) isWebSocket() bool { return strings.EqualFold(x.upgrade, "websocket") }

// websocketKey is 16 bytes, in base64 (RFC 6455 §4.1).
func (c *connect) websocketKey() string { return base64.StdEncoding.EncodeToString([]byte(c.key[:16])) }

// accepts reports whether a service means WebSocket by its 101 (RFC 6455 §4.2.2).
func (c *connect) accepts(answer *http.Response) bool {
	const salt = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	sum := sha1.Sum([]byte(c.websocketKey() + salt))
	return answer.Header.Get("Sec-Websocket-Accept") == base64.StdEncoding.EncodeToString(sum[:])
}

// connectStream answers an extended CONNECT and passes bytes both ways until either side ends.
func (t *tunnels) connectStream(
	w http.ResponseWriter, service io.ReadWriteCloser, answer *http.Response, x *exchange,
) error {
	if x.isWebSocket() && !x.connect.accepts(answer) {
		return errors.New("the service changed to WebSocket, and not for us")
	}
	delete(answer.Header, "Sec-Websocket-Accept")
	x.signAnswer(answer)
	maps.Copy(w.Header(), answer.Header)
	client := &clientStream{ReadCloser: x.connect.stream, w: x.writer, control: http.NewResponseController(x.writer)}
	if !t.add(client) {
		return errors.New("the entry point is closing")
	}
	defer t.remove(client)
	x.wrote, x.Status = true, http.StatusOK
	x.writer.WriteHeader(http.StatusOK)
	if err := client.begin(); err != nil {
		return err
	}
	client.exchange(service, x.ended, x.ctx.Done())
	return nil
}

// clientStream is the client's side of a stream that left HTTP.
type clientStream struct {
	io.ReadCloser
	w       http.ResponseWriter
	control *http.ResponseController
}

// begin sends the answer's head. The limits of a request are not those of a stream.
func (c *clientStream) begin() error {
	return errors.Join(c.control.SetReadDeadline(time.Time{}), c.control.SetWriteDeadline(time.Time{}),
		c.control.Flush())
}

// Write sends what comes at once.
func (c *clientStream) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if err == nil {
		err = c.control.Flush()
	}
	return n, err
}

// Close cuts the stream.
func (c *clientStream) Close() error {
	return errors.Join(c.ReadCloser.Close(), c.control.SetWriteDeadline(time.Unix(1, 0)))
}

// exchange copies both ways until the service ends, or done or gone is closed; and until nobody uses the stream any
// more, which is the engine's own again then. A client that has said everything may still be told something: browsers
// end their side of a WebSocket before the service has agreed to its end.
func (c *clientStream) exchange(service io.ReadWriteCloser, done, gone <-chan struct{}) {
	sent, received := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sent)
		if _, err := io.Copy(service, c); err != nil || closeWrite(service) != nil {
			_ = service.Close()
		}
	}()
	go func() { defer close(received); _, _ = io.Copy(writeOnly{c}, service) }()
	select {
	case <-received:
	case <-gone:
	case <-done:
		_ = c.Close()
	}
	_ = service.Close()
	_ = c.ReadCloser.Close()
	<-sent
	<-received
}

// closeWrite tells a service that nothing more comes.
func closeWrite(service io.Closer) error {
	if half, ok := service.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return service.Close()
}

// writeOnly hides what else a writer can.
type writeOnly struct{ io.Writer }
