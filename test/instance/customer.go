package instance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// Customer asks for one host at one address.
type Customer struct {
	t             testing.TB
	address, host string
	client        *http.Client
}

// NewCustomer returns one whose requests take what they take on a machine that is busy.
func NewCustomer(t testing.TB, address, host string) *Customer {
	return &Customer{t: t, address: address, host: host, client: &http.Client{Timeout: patience}}
}

// Ask sends one request. Without an answer, the status is 0 and the body says why.
func (c *Customer) Ask(path string) (status int, body string) {
	r, err := http.NewRequest(http.MethodGet, "http://"+c.address+path, nil)
	if err != nil {
		return 0, err.Error()
	}
	r.Host = c.host
	answer, err := c.client.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error()
	}
	return answer.StatusCode, string(content)
}

// Load sends requests until stop is called, which fails the test where one was not answered with 200.
func (c *Customer) Load() (stop func(when string)) {
	ctx, cancel := context.WithCancel(c.t.Context())
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		sent int
		lost []string
	)
	for range 4 {
		all.Go(func() {
			tick := time.NewTicker(5 * time.Millisecond) // others need the processor, too
			defer tick.Stop()
			for ; ctx.Err() == nil; <-tick.C {
				status, body := c.Ask("/")
				mu.Lock()
				sent++
				if status != http.StatusOK {
					lost = append(lost, fmt.Sprintf("%d %s", status, strings.TrimSpace(body)))
				}
				mu.Unlock()
			}
		})
	}
	return func(when string) {
		c.t.Helper()
		cancel()
		all.Wait()
		c.t.Logf("%s under load: %d requests, %d lost", when, sent, len(lost))
		if len(lost) > 0 || sent == 0 {
			c.t.Errorf("%s: %d of %d requests were lost; the first: %v", when, len(lost), sent, lost[:min(len(lost), 3)])
		}
	}
}
