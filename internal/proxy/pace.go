package proxy

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// paceBytes is how much of a body must come within an entry point's ReadTimeout. It is little, so that slow lines can
// send large bodies, and enough that nobody keeps a service waiting for ever with a byte now and then.
const paceBytes = 64 << 10

// pace is the body of a request that may take longer than ReadTimeout, as long as it comes at a reasonable rate. Once
// the service answers, the two are in a conversation, and how long that may be silent is the service's to say.
type pace struct {
	io.ReadCloser
	control *http.ResponseController
	timeout time.Duration

	mu       sync.Mutex
	came     int // since the deadline was set
	answered bool
}

// paceBody makes a body that may be long one that is paced.
func (x *exchange) paceBody(r *http.Request) {
	limit := x.entryPoint.ReadTimeout
	if limit == 0 || r.Body == nil || r.Body == http.NoBody || 0 <= r.ContentLength && r.ContentLength <= replayable {
		return
	}
	x.pace = &pace{ReadCloser: r.Body, control: http.NewResponseController(x.writer), timeout: limit}
	r.Body = x.pace
}

func (p *pace) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.came += n; p.came >= paceBytes && !p.answered {
		p.came = 0
		_ = p.control.SetReadDeadline(time.Now().Add(p.timeout))
	}
	return n, err
}

// begin notes that the answer begins.
func (p *pace) begin() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered = true
	_ = p.control.SetReadDeadline(time.Time{})
}

// end bounds what the engine still reads of a body that nobody wants any more.
func (p *pace) end() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.control.SetReadDeadline(time.Now().Add(p.timeout))
}
