package telemetry

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// The formats of the access log.
const (
	// JSON is one object a line, always with all fields in this order: time (RFC 3339, UTC, milliseconds), durationMs,
	// entryPoint, client, method, scheme, host, path, proto, status, bytesIn, bytesOut, route, service, cluster,
	// endpoint, attempts, reason, mode. See [Exchange] for what they say. Behind them, where there is something to say:
	// trace (32 hexadecimal digits), waf (numbers of the rules that matched).
	JSON = "json"
	// Common is the NCSA common log format, with more fields at the end of the line:
	//
	//	client - - [time] "method path proto" status bytesOut "entryPoint" "host" "route" "service" "cluster" "endpoint"
	//	attempts "reason" "mode" durationms "trace"
	//
	// The user is always "-": credentials are checked by middlewares, and stay there. Text after bytesOut that is not
	// known is "-".
	Common = "common"
)

const (
	maxPending = 1 << 20  // bytes of lines that wait to be written; what comes above is dropped
	writeAt    = 64 << 10 // bytes that are worth a write at once
	writeDelay = 100 * time.Millisecond
)

// AccessLog writes a line for each exchange. Served may be called by many goroutines; Run writes what they hand over.
type AccessLog struct {
	w       io.Writer
	format  func([]byte, *Exchange) []byte
	lines   sync.Pool // *[]byte, for lines being made
	dropped atomic.Uint64
	some    chan struct{} // there is something to write
	much    chan struct{} // there is so much that it should not wait

	mu      sync.Mutex
	pending []byte
	count   int // lines in pending
	spare   []byte
}

// NewAccessLog returns a log that writes to w, once Run runs. The format is [JSON] or [Common]; "" means Common.
func NewAccessLog(w io.Writer, format string) (*AccessLog, error) {
	l := &AccessLog{w: w, some: make(chan struct{}, 1), much: make(chan struct{}, 1)}
	l.lines.New = func() any {
		line := make([]byte, 0, 512)
		return &line
	}
	switch format {
	case JSON:
		l.format = appendJSON
	case Common, "":
		l.format = appendCommon
	default:
		return nil, fmt.Errorf("access log format %q is not known; use %q or %q", format, JSON, Common)
	}
	return l, nil
}

// Dropped returns how many lines were lost so far.
func (l *AccessLog) Dropped() uint64 { return l.dropped.Load() }

// Served hands a line over to Run, or drops it when too much waits already. It never blocks, and does not keep x.
func (l *AccessLog) Served(x *Exchange) {
	if x.Unlogged {
		return
	}
	buf := l.lines.Get().(*[]byte)
	line := l.format((*buf)[:0], x)
	waiting := l.add(line)
	*buf = line
	l.lines.Put(buf)
	if waiting == len(line) {
		notify(l.some)
	}
	if waiting >= writeAt {
		notify(l.much)
	}
}

// add returns how many bytes wait now; 0 when the line was dropped.
func (l *AccessLog) add(line []byte) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending)+len(line) > maxPending {
		l.dropped.Add(1)
		return 0
	}
	l.pending = append(l.pending, line...)
	l.count++
	return len(l.pending)
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run writes lines, many at once, at most 100 ms after they came, until ctx is done; then it writes what is left and
// returns nil. Lines that cannot be written are dropped, and the next ones tried again: the disk may have space then.
func (l *AccessLog) Run(ctx context.Context) error {
	delay := time.NewTimer(writeDelay)
	defer delay.Stop()
	for {
		select {
		case <-ctx.Done():
			l.write()
			return nil
		case <-l.some:
		}
		delay.Reset(writeDelay)
		select {
		case <-ctx.Done():
		case <-delay.C:
		case <-l.much:
		}
		l.write()
	}
}

func (l *AccessLog) write() {
	l.mu.Lock()
	lines, count := l.pending, l.count
	l.pending, l.count = l.spare[:0], 0
	l.mu.Unlock()
	if len(lines) > 0 {
		if _, err := l.w.Write(lines); err != nil {
			l.dropped.Add(uint64(count))
		}
	}
	l.mu.Lock()
	l.spare = lines
	l.mu.Unlock()
}
