package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// connectLimit is how long one address may take until its answer begins.
const connectLimit = 5 * time.Second

var (
	errSilent    = fmt.Errorf("nothing was heard from the cluster for %v", SilenceLimit)
	errNoAnswer  = fmt.Errorf("no answer within %v", connectLimit)
	errConnEnded = errors.New("the connection was given up")
)

// connection is a watch that has begun to answer.
type connection struct {
	ctx     context.Context // done when the connection is
	addr    string
	body    io.Reader
	silence *time.Timer
	cancel  context.CancelCauseFunc
}

// alive puts off the moment at which the cluster counts as silent.
func (c *connection) alive() { c.silence.Reset(SilenceLimit) }

func (c *connection) close() {
	c.silence.Stop()
	c.cancel(errConnEnded)
}

// connect tries the addresses in turn, beginning with the one that worked last.
func (f *Follower) connect(ctx context.Context) (*connection, error) {
	var failed []error
	for range f.o.Addresses {
		f.mu.Lock()
		addr, since := f.o.Addresses[f.at], ""
		if f.state.Epoch != "" {
			since = f.state.Epoch + ":" + strconv.FormatUint(f.state.Revision, 10)
		}
		f.state.Address = addr
		f.mu.Unlock()
		c, err := f.watch(ctx, addr, since)
		if err == nil {
			return c, nil
		}
		failed = append(failed, fmt.Errorf("%s: %w", addr, err))
		if ctx.Err() != nil {
			break
		}
		f.mu.Lock()
		f.at = (f.at + 1) % len(f.o.Addresses)
		f.mu.Unlock()
	}
	return nil, errors.Join(failed...)
}

// request makes a control call, with the key.
func (f *Follower) request(ctx context.Context, method, addr, path string, body io.Reader) (*http.Request, error) {
	key, err := f.o.Key()
	if err != nil {
		return nil, fmt.Errorf("reading the API key: %w", err)
	}
	u := url.URL{Scheme: "https", Host: addr, Path: path}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(key))
	r.Header.Set(versionField, strconv.Itoa(Version))
	return r, nil
}

// watch asks one address for its stream.
func (f *Follower) watch(parent context.Context, addr, since string) (*connection, error) {
	ctx, cancel := context.WithCancelCause(parent)
	c := &connection{ctx: ctx, addr: addr, cancel: cancel}
	c.silence = time.AfterFunc(connectLimit, func() { cancel(errSilent) })
	r, err := f.request(ctx, http.MethodGet, addr, PathWatch, nil)
	if err != nil {
		c.close()
		return nil, err
	}
	if since != "" {
		r.URL.RawQuery = url.Values{"since": {since}}.Encode()
	}
	r.Header.Set("Accept-Encoding", "zstd, gzip")
	answer, err := f.client.Do(r)
	if err != nil {
		return nil, c.failed(err)
	}
	// Whatever the client does about contexts, a read ends when the connection does.
	context.AfterFunc(ctx, func() { _ = answer.Body.Close() })
	if err := accepted(answer, http.StatusOK); err != nil {
		c.close()
		return nil, err
	}
	body, err := decompress(answer.Body, answer.Header.Get("Content-Encoding"))
	if err != nil {
		return nil, c.failed(err)
	}
	c.body = body
	c.alive()
	return c, nil
}

// failed gives the connection up and says why in one line.
func (c *connection) failed(err error) error {
	silent := errors.Is(context.Cause(c.ctx), errSilent)
	c.close()
	if silent {
		return errNoAnswer
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err // without the address and the query, which are known
	}
	return err
}

// accepted turns a status into words. The text of the answer is a stranger's and is not repeated.
func accepted(answer *http.Response, status int) error {
	switch answer.StatusCode {
	case status:
		return nil
	case http.StatusUnauthorized:
		return errors.New("the cluster does not accept the API key (401)")
	case http.StatusForbidden:
		return fmt.Errorf("the API key lacks the scope %s (403)", ScopeRead)
	case http.StatusServiceUnavailable:
		return errors.New("the instance has nothing to export yet (503)")
	case http.StatusTooManyRequests:
		return errors.New("the API key has too many watches open (429)")
	}
	return fmt.Errorf("the answer has status %d: is this a link entry point?", answer.StatusCode)
}
