package cache

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// respond answers with what is kept. How is for Cache-Status.
func respond(w http.ResponseWriter, r *http.Request, e *entry, now time.Time, how string) {
	h := w.Header()
	put(h, e.header)
	h["Age"] = []string{strconv.FormatInt(max(int64(e.age(now)/time.Second), 0), 10)}
	setStatus(h, how+"; ttl="+strconv.FormatInt(int64(e.ttl(now)/time.Second), 10))
	switch {
	case e.status == http.StatusOK && notModified(r.Header, e.header):
		writeNotModified(w)
	case e.status == http.StatusOK && isRange(r):
		delete(h, "Content-Length")
		modified, _ := http.ParseTime(h.Get("Last-Modified")) // for If-Range; the zero time is none
		http.ServeContent(w, r, "", modified, bytes.NewReader(e.body))
	default:
		h["Content-Length"] = []string{strconv.Itoa(len(e.body))}
		w.WriteHeader(e.status)
		if r.Method != http.MethodHead {
			_, _ = w.Write(e.body)
		}
	}
}

// isRange reports whether a part is asked for that is worth to be found. Who asks for several may get all of it (RFC
// 9110 §14.2): many small parts are more work than the whole.
func isRange(r *http.Request) bool {
	ranges := r.Header["Range"]
	return r.Method == http.MethodGet && len(ranges) == 1 && !strings.Contains(ranges[0], ",")
}

// put adds the fields of an answer. Where we are reached is not a service's to say.
func put(h, answer http.Header) {
	own := h["Alt-Svc"]
	for name, values := range answer {
		h[name] = values
	}
	if own != nil {
		h["Alt-Svc"] = own
	}
	if _, typed := h["Content-Type"]; !typed {
		h["Content-Type"] = nil // nobody guesses what the service did not say
	}
}

// writeNotModified answers 304 (RFC 9110 §15.4.5).
func writeNotModified(w http.ResponseWriter) {
	h := w.Header()
	for _, name := range []string{"Content-Type", "Content-Length", "Content-Encoding", "Content-Range"} {
		delete(h, name)
	}
	w.WriteHeader(http.StatusNotModified)
}

// setStatus says what the cache did (RFC 9211), after what caches behind say.
func setStatus(h http.Header, what string) { h.Add("Cache-Status", "fairlead; "+what) }

// passer forwards an answer that is not looked at.
type passer struct {
	http.ResponseWriter
	status string
	head   func(status int) // is called before the head is sent; nil: nobody wants to know
	wrote  bool
}

// finish is to be called when the handler has returned: an answer without a body is written only then.
func (p *passer) finish() {
	if !p.wrote {
		p.WriteHeader(http.StatusOK)
	}
}

// WriteHeader says that the answer is not from here.
func (p *passer) WriteHeader(status int) {
	p.wrote = p.wrote || status == http.StatusSwitchingProtocols
	if status >= 200 && !p.wrote {
		p.wrote = true
		if p.head != nil {
			p.head(status)
		}
		setStatus(p.Header(), fmt.Sprintf("%s; fwd-status=%d", p.status, status))
	}
	p.ResponseWriter.WriteHeader(status)
}

func (p *passer) Write(b []byte) (int, error) {
	p.finish()
	return p.ResponseWriter.Write(b)
}

// ReadFrom lets the writer below copy in its own way.
func (p *passer) ReadFrom(r io.Reader) (int64, error) {
	p.finish()
	return io.Copy(p.ResponseWriter, r)
}

// Unwrap gives http.ResponseController the rest.
func (p *passer) Unwrap() http.ResponseWriter { return p.ResponseWriter }
