package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// The checks that are no URL.
const (
	checkTCP  = "tcp"
	checkNone = "none"
)

const (
	starting = 100 * time.Millisecond // between two looks at a program that was never well
	falls    = 2                      // failures in a row until it is not well
)

// probe reports whether the program is well.
type probe func(context.Context) error

// newProbe reads --check.
func (o *registerOptions) newProbe() (probe, error) {
	switch {
	case o.check == checkNone, o.protocol == "udp" && o.check == checkTCP: // which answers nobody who connects
		return func(context.Context) error { return nil }, nil
	case o.check == checkTCP:
		return func(ctx context.Context) error {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", o.local())
			if err != nil {
				return err
			}
			return conn.Close()
		}, nil
	}
	u, err := url.Parse(o.check)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Opaque != "" || u.User != nil {
		return nil, usageError{fmt.Errorf("--check: %q is not http:/PATH, https:/PATH, a URL, tcp or none", o.check)}
	}
	if u.Host == "" {
		u.Host = o.local()
	}
	client := &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			// Nothing but the status is believed, and the name of a certificate is seldom this machine's.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context) error { return ask(ctx, client, u.String()) }, nil
}

// ask makes a request that a program that is well answers with a status below 400.
func ask(ctx context.Context, client *http.Client, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	if err := answer.Body.Close(); err != nil {
		return err
	}
	if answer.StatusCode >= 400 {
		return fmt.Errorf("%s answers %s", url, answer.Status)
	}
	return nil
}

// watch tells whenever the program becomes well, or unwell (why), until ctx is done.
func (p probe) watch(ctx context.Context, interval time.Duration, tell func(why error)) {
	well, failed := false, 0
	wait := min(starting, interval)
	for {
		limit, cancel := context.WithTimeout(ctx, max(interval, time.Second))
		err := p(limit)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			if !well {
				tell(nil)
			}
			well, failed, wait = true, 0, interval
		case well:
			if failed++; failed >= falls {
				well = false
				tell(err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}
