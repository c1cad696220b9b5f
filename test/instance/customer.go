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

// NewCustomer returns one who waits as long for an answer as a machine needs that is busy.
func NewCustomer(t testing.TB, address, host string) *Customer {
	return &Customer{t: t, address: address, host: host, client: &http.Client{Timeout: 20 * time.Second}}
}

// Ask sends one request. Without an answer, the status is 0 and the body says why.
func (c *Customer) Ask(path string) (status int, body string) {
	status, _, body, err := c.send(path, func(*http.Request) {})
	if err != nil {
		return 0, err.Error()
	}
	return status, body
}

// Told is what is answered to a request, or the status and the program's reason where that is not 200. complete
// completes the request. Without an answer, the test fails.
func (c *Customer) Told(path string, complete func(*http.Request)) string {
	c.t.Helper()
	status, reason, body, err := c.send(path, complete)
	if err != nil {
		c.t.Fatal(err)
	}
	if status != http.StatusOK {
		return strings.TrimSpace(fmt.Sprintln(status, reason))
	}
	return body
}

func (c *Customer) send(path string, complete func(*http.Request)) (status int, reason, body string, err error) {
	r, err := http.NewRequest(http.MethodGet, "http://"+c.address+path, nil)
	if err != nil {
		return 0, "", "", err
	}
	r.Host = c.host
	complete(r)
	answer, err := c.client.Do(r)
	if err != nil {
		return 0, "", "", err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	return answer.StatusCode, answer.Header.Get("Fairlead-Reason"), string(content), err
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
