package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	silenceLimit = 3 * heartbeatInterval // after so long without a word, a stream is lost
	maxLine      = 64 << 10              // bytes of a line of a stream
)

// Watch yields a change for what is served when it connects, and for each newer version of that. When the stream is
// lost it yields the error, and connects again with backoff for as long as its consumer goes on; the next change then
// stands for what was missed. It ends with ctx, and after an error that trying again cannot mend (an [*Error] of status
// 4xx: the key is refused, or was revoked).
func (c *Client) Watch(ctx context.Context) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		wait := backoff.NewExponentialBackOff()
		wait.InitialInterval, wait.MaxInterval = 200*time.Millisecond, 10*time.Second
		wanted := true
		for {
			err := c.stream(ctx, func(change Change) bool {
				wait.Reset()
				wanted = yield(change, nil)
				return wanted
			})
			if !wanted || ctx.Err() != nil || !yield(Change{}, err) {
				return
			}
			if told, ok := errors.AsType[*Error](err); ok && told.Status >= 400 && told.Status < 500 &&
				told.Status != http.StatusTooManyRequests {
				return
			}
			again := time.NewTimer(wait.NextBackOff())
			select {
			case <-ctx.Done():
				again.Stop()
				return
			case <-again.C:
			}
		}
	}
}

// errSilent ends a stream on which nothing came for too long.
var errSilent = fmt.Errorf("nothing was heard for %v", silenceLimit)

// stream reads the events of one connection until it is lost or they are not wanted any more.
func (c *Client) stream(ctx context.Context, yield func(Change) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(silenceLimit, func() { cancel(errSilent) })
	defer silence.Stop()
	answer, err := c.send(ctx, http.MethodGet, "/events", nil, nil)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		silence.Reset(silenceLimit)
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok {
			continue // there is one kind of event, and its data is one line
		}
		var change Change
		if err := json.Unmarshal([]byte(data), &change); err != nil {
			return fmt.Errorf("%s does not answer as the API does: %w", c.url, err)
		}
		if !yield(change) {
			return nil
		}
	}
	err = lines.Err()
	switch {
	case errors.Is(context.Cause(ctx), errSilent):
		err = errSilent
	case err == nil:
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("the stream of %s is lost: %w", c.url, err)
}
