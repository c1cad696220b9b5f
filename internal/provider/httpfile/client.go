package httpfile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// client asks servers for the document.
type client struct {
	source  model.Source
	header  http.Header
	timeout time.Duration
	wait    time.Duration
	size    int // the most that an answer may have
	http    *http.Client
}

// answer is a document that a server gave, and what to tell that server when it is asked again.
type answer struct {
	url      string
	document *dynamic.Document
	etag     string
	modified string
	sum      [sha256.Size]byte // of the format and the body
	held     bool              // the server holds requests until the document changes
}

const (
	maxRedirects = 5
	maxHead      = 64 << 10
)

func newClient(c *Config, header http.Header) *client {
	transport := &http.Transport{TLSClientConfig: c.TLS, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxHead}
	size := document.MaxSize
	if c.MaxSize > 0 {
		size = min(size, c.MaxSize)
	}
	return &client{
		c.Source, header, c.Timeout, c.Wait, size, &http.Client{Transport: transport, CheckRedirect: checkRedirect},
	}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// checkRedirect keeps secrets, and trust, with the host that they are meant for.
func checkRedirect(next *http.Request, via []*http.Request) error {
	first := via[0].URL
	switch {
	case len(via) > maxRedirects:
		return errors.New("it redirects too often")
	case next.URL.Host != first.Host:
		return fmt.Errorf("it redirects to another host, %s", next.URL.Host)
	case first.Scheme == "https" && next.URL.Scheme != "https":
		return errors.New("it redirects from https to http")
	}
	return nil
}

// get asks a server for the document. Where that is what it was, it is the one of the last answer.
func (c *client) get(ctx context.Context, from string, last answer) (answer, error) {
	if last.url != from { // another server's tags mean nothing to this one; its bytes do
		last.etag, last.modified = "", ""
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout+c.wait)
	defer cancel()
	request, err := c.request(ctx, from, last)
	if err != nil {
		return answer{}, err
	}
	response, err := c.http.Do(request)
	if errors.Is(err, context.DeadlineExceeded) {
		return answer{}, fmt.Errorf("there is no answer within %v", c.timeout+c.wait)
	}
	if err != nil {
		return answer{}, brief(err)
	}
	defer response.Body.Close()
	next := answer{url: from, etag: response.Header.Get("ETag"), modified: response.Header.Get("Last-Modified")}
	next.held = c.wait > 0 && strings.Contains(response.Header.Get("Preference-Applied"), "wait")
	switch {
	case response.StatusCode == http.StatusNotModified && (last.etag != "" || last.modified != ""):
		next.etag, next.modified = last.etag, last.modified
		next.document, next.sum = last.document, last.sum
		return next, nil
	case response.StatusCode != http.StatusOK:
		return answer{}, fmt.Errorf("it answers %s", response.Status)
	}
	if err := c.read(response, &next, last); err != nil {
		return answer{}, err
	}
	return next, nil
}

func (c *client) request(ctx context.Context, to string, last answer) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "fairlead")
	r.Header.Set("Accept", "application/yaml, application/json, application/toml, */*;q=0.5")
	if last.etag != "" {
		r.Header.Set("If-None-Match", last.etag)
	} else if last.modified != "" {
		r.Header.Set("If-Modified-Since", last.modified)
	}
	if c.wait > 0 {
		r.Header.Set("Prefer", "wait="+strconv.Itoa(int(c.wait.Seconds())))
	}
	for name, values := range c.header {
		r.Header[name] = values
		if name == "Host" {
			r.Host = values[0]
		}
	}
	return r, nil
}

// read reads the document of a response into next.
func (c *client) read(response *http.Response, next *answer, last answer) error {
	data, err := io.ReadAll(io.LimitReader(response.Body, int64(c.size)+1))
	switch {
	case err != nil:
		return fmt.Errorf("reading its answer: %w", err)
	case len(data) > c.size:
		return fmt.Errorf("its answer is larger than %d bytes", c.size)
	case len(strings.TrimSpace(string(data))) == 0:
		return errors.New("its answer is empty; {} says that nothing is there")
	}
	format, err := formatOf(response)
	if err != nil {
		return err
	}
	next.sum = sha256.Sum256(append([]byte(format+"\n"), data...))
	if last.document != nil && next.sum == last.sum {
		next.document = last.document
		return nil
	}
	place := placeOf(response.Request.URL, format)
	root, err := document.Parse(place, data)
	if err != nil {
		return err
	}
	if !isConfiguration(root) {
		return errors.New("its answer is no dynamic configuration: it has none of http, tcp, udp and tls")
	}
	next.document = dynamic.DecodeTree(c.source, place, root)
	return nil
}

// isConfiguration reports whether a document can be one of the format, rather than something else in YAML or JSON.
func isConfiguration(root *document.Node) bool {
	if root.Kind != document.Map {
		return false
	}
	for _, f := range root.Fields {
		switch strings.ToLower(f.Name) {
		case "http", "tcp", "udp", "tls":
			return true
		}
	}
	return len(root.Fields) == 0
}

// placeOf returns what a document is called where its problems are told: host and path, with the format's extension.
func placeOf(u *url.URL, format string) string {
	place := u.Host + u.Path
	if extension(place) != format {
		place += format
	}
	return place
}

// brief leaves the URL out of an error: whoever reads it is told the configured one.
func brief(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
