package h2

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/fairlead/fairlead/internal/wire"
)

const (
	maxFrame      = 16384   // the least that RFC 9113 §4.2 allows, both ways
	initialWindow = 65535   // RFC 9113 §6.9.2
	connWindow    = 4 << 20 // of what may be on its way to us on a connection
	maxWindow     = 1<<31 - 1
	tableSize     = 4096 // of each side's fields (RFC 9113 §6.5.2)
	lingerTime    = 500 * time.Millisecond
	lingerBytes   = 256 << 10
)

// conn is a client's connection. Without streams it holds nothing but itself and the two tables of fields.
type conn struct {
	server *Server
	net    net.Conn
	tls    *tls.ConnectionState // nil: plain
	remote string
	client netip.AddrPort  // remote, if it is one
	raw    wire.RawHandler // the server's handler, if it is one

	// Of the goroutine that reads.
	in      reader
	codec   *codec // nil between frames
	decoder *hpack.Decoder
	block   block // of fields that is being read
	unpaid  int   // bytes of bodies that came and were not credited to the connection yet
	inbound int64 // what the client may still send on the connection

	mu      sync.Mutex
	lastID  uint32             // of the streams that the client opened; only the reading goroutine changes it
	streams map[uint32]*stream // open, or half closed
	running int                // handlers
	reset   [64]uint32         // the streams that were ended here last, while the client may still send on them
	resets  int                // of those, counted on

	out           output
	encoder       *hpack.Encoder // writes to out
	queue         queue          // streams that have something to send and may
	waiting       []*stream      // for room in out
	window        int64          // what the client takes on the connection
	initial       int64          // what it takes on a stream at first
	greeted       time.Time      // when our settings were sent
	roundTrip     time.Duration  // until the client had them, and we knew; 0: not yet
	widened       int64          // what windows of streams have more than at first
	credit        credit
	deadlines     deadlines
	drained       drainState
	final         uint32 // the last stream that is served, once drained is drainFinal
	ending        bool   // GOAWAY was the last frame: close when it is sent
	err           error  // set once the connection is no more
	reading, over bool
}

// drainState is how far the connection is on its way to its end.
type drainState int

const (
	drainNot   drainState = iota
	drainAsked            // the client was asked to open no more streams; those that are on their way are served
	drainFinal            // no more are served
)

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{
		server: s, net: nc, remote: nc.RemoteAddr().String(), streams: make(map[uint32]*stream),
		window: initialWindow, initial: initialWindow, inbound: connWindow, reading: true,
	}
	c.client, _ = netip.ParseAddrPort(c.remote)
	c.raw, _ = s.Handler.(wire.RawHandler)
	c.in.conn = c
	c.decoder = hpack.NewDecoder(tableSize, c.emit)
	c.decoder.SetMaxStringLength(s.headerBytes())
	c.encoder = hpack.NewEncoder(&c.out)
	c.credit.start(time.Now(), s.maxStreams())
	return c
}

// serve reads for as long as the connection lives.
func (c *conn) serve() {
	err := c.begin()
	for err == nil {
		err = c.readFrame()
	}
	c.fail(err)
	c.in.release()
	c.codec = nil // not to be used again: it may be in the middle of something
	_ = c.net.Close()
	c.mu.Lock()
	c.reading = false
	c.leave()
	c.mu.Unlock()
}

// begin reads the client's preface, and sends ours.
func (c *conn) begin() error {
	s := c.server
	c.mu.Lock()
	c.deadlines.start(c)
	c.greeted = time.Now()
	c.appendSettings(
		http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: uint32(s.maxStreams())},
		http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: uint32(s.headerBytes())},
		http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 1},
	)
	c.appendWindowUpdate(0, connWindow-initialWindow)
	c.kick()
	c.mu.Unlock()
	var preface [len(http2.ClientPreface)]byte
	if _, err := io.ReadFull(&c.in, preface[:]); err != nil {
		return err
	}
	if string(preface[:]) != http2.ClientPreface {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	f, err := c.next()
	if err != nil {
		return err
	}
	settings, ok := f.(*http2.SettingsFrame)
	if !ok || settings.IsAck() {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	return c.onSettings(settings)
}

// readFrame reads a frame and does what it says. Its error ends the connection.
func (c *conn) readFrame() error {
	f, err := c.next()
	if err == nil {
		err = c.handle(f)
	}
	var wrong http2.StreamError
	if errors.As(err, &wrong) {
		return c.refuse(wrong)
	}
	return err
}

// next reads a frame. Between frames the connection holds no buffers, and waits with none.
func (c *conn) next() (http2.Frame, error) {
	if c.in.empty() && !c.block.open {
		c.giveCodec()
		c.in.frameBegins()
		if err := c.in.fill(); err != nil {
			return nil, err
		}
	} else {
		c.in.frameBegins()
	}
	if c.codec == nil {
		c.codec = c.server.takeCodec(c)
	}
	h, err := c.codec.framer.ReadFrameHeader()
	if errors.Is(err, http2.ErrFrameTooLarge) {
		return nil, http2.ConnectionError(http2.ErrCodeFrameSize)
	}
	if err != nil {
		return nil, err
	}
	c.in.data = h.Type == http2.FrameData
	return c.codec.framer.ReadFrameForHeader(h)
}

func (c *conn) giveCodec() {
	if c.codec != nil {
		c.server.giveCodec(c.codec)
		c.codec = nil
	}
}

// fail ends the connection: all that wait on it, and those who serve its streams, are told. If it is the client's fault
// the client is told, too.
func (c *conn) fail(err error) {
	var fault http2.ConnectionError
	blamed := errors.As(err, &fault)
	if !errors.Is(err, io.EOF) {
		c.server.debug("connection ended", "client", c.remote, "protocol", "HTTP/2", "error", err)
	}
	c.mu.Lock()
	for _, s := range c.streams {
		c.abort(s, fmt.Errorf("the connection ended: %w", err))
	}
	if blamed && c.err == nil && !c.ending {
		c.appendGoAway(c.lastID, http2.ErrCode(fault))
		c.ending = true
		c.kick()
	}
	told := c.ending
	c.mu.Unlock()
	if told {
		c.linger()
	}
	c.cut(err)
}

// linger reads on for a moment, so that the client reads our last frame before it sees that we do not listen any more.
func (c *conn) linger() {
	_ = c.net.SetReadDeadline(time.Now().Add(lingerTime))
	c.in.lingers = true
	for left := lingerBytes; left > 0; left -= len(c.in.buffered()) {
		c.in.discard(len(c.in.buffered()))
		if c.in.fill() != nil {
			return
		}
	}
}

// cut closes the connection at once.
func (c *conn) cut(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cutLocked(err)
}

func (c *conn) cutLocked(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	for _, s := range c.streams {
		c.abort(s, fmt.Errorf("the connection ended: %w", err))
	}
	c.wakeWaiting()
	_ = c.net.Close()
}

// leave tells the server that the connection is no more, when nobody works for it. The connection is locked.
func (c *conn) leave() {
	if c.reading || c.running > 0 || c.out.flushing || c.over {
		return
	}
	c.over = true
	c.deadlines.stop()
	c.server.remove(c)
}

// drain begins the end: no more streams, please. Those that are on their way are served; that they have come is known
// when the client has answered a PING (RFC 9113 §6.8).
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drainLocked()
}

func (c *conn) drainLocked() {
	if c.drained != drainNot || c.err != nil || c.ending {
		return
	}
	c.drained = drainAsked
	c.appendGoAway(maxWindow, http2.ErrCodeNo)
	c.appendPing(false, drainPing())
	c.deadlines.drainBy = time.Now().Add(drainTime)
	c.deadlines.due(c.deadlines.drainBy)
	c.kick()
}

func drainPing() [8]byte { return [8]byte{'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'} }

// drainFinally takes no more streams, and closes the connection with the last one.
func (c *conn) drainFinally() {
	if c.drained != drainAsked || c.err != nil || c.ending {
		return
	}
	c.drained, c.final = drainFinal, c.lastID
	c.appendGoAway(c.final, http2.ErrCodeNo)
	c.endIfDrained()
	c.kick()
}

func (c *conn) endIfDrained() {
	if c.drained == drainFinal && len(c.streams) == 0 && c.running == 0 {
		c.ending = true
		c.kick()
	}
}

// codec is what a frame is read with.
type codec struct {
	framer *http2.Framer
	from   *conn
}

func (k *codec) Read(p []byte) (int, error) { return k.from.in.Read(p) }

func (s *Server) takeCodec(c *conn) *codec {
	k, ok := s.codecs.Get().(*codec)
	if !ok {
		k = new(codec)
		k.framer = http2.NewFramer(nil, k)
		k.framer.SetMaxReadFrameSize(maxFrame)
		k.framer.SetReuseFrames()
	}
	k.from = c
	return k
}

func (s *Server) giveCodec(k *codec) {
	k.from = nil
	s.codecs.Put(k)
}

// contextValue answers for a request's context.
func (c *conn) contextValue(key any) any {
	switch key {
	case http.LocalAddrContextKey:
		return c.net.LocalAddr()
	case http.ServerContextKey:
		return &c.server.standard
	}
	if secure, ok := c.net.(*tls.Conn); ok { // as in package wire
		if below, ok := secure.NetConn().(interface{ Value(key any) any }); ok {
			return below.Value(key)
		}
	}
	return nil
}
