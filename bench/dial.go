//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// handshakes is a load of full TLS handshakes: each request has a connection of its own, and no session is resumed.
// (wrk resumes them.)
type handshakes struct{ workers int }

func (h handshakes) run(ctx context.Context, _ *lab, i *instance, d time.Duration) (tally, error) {
	begin := time.Now()
	var answered, failed atomic.Int64
	var group errgroup.Group
	for range h.workers {
		group.Go(func() error {
			for time.Since(begin) < d && ctx.Err() == nil {
				if handshake(ctx, i.site.HTTPS) == nil {
					answered.Add(1)
				} else {
					failed.Add(1)
				}
			}
			return nil
		})
	}
	_ = group.Wait()
	return tally{int(answered.Load()), int(failed.Load()), time.Since(begin)}, ctx.Err()
}

func handshake(ctx context.Context, address string) error {
	conn, err := dialTLS(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	return exchange(conn, "Connection: close")
}

// dialTLS opens a connection with a full handshake.
func dialTLS(ctx context.Context, address string) (net.Conn, error) {
	// Not all know a post-quantum key exchange, which costs more.
	curves := []tls.CurveID{tls.X25519}
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: &tls.Config{
		ServerName: hostOf(0), NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS13,
		CurvePreferences:   curves,
		InsecureSkipVerify: true, //nolint:gosec // the certificate is our own, and checking it is the client's work
	}}
	return dialer.DialContext(ctx, "tcp", address)
}

// exchange sends a request and reads its answer.
func exchange(conn net.Conn, field string) error {
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write(requestFor(hostOf(0), smallPath, field)); err != nil {
		return err
	}
	var c openConn
	buffer := make([]byte, 1024)
	for {
		n, err := conn.Read(buffer)
		if n > 0 {
			if whole, err := c.take(buffer[:n]); whole || err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the connection ended in the middle: %w", io.ErrUnexpectedEOF)
		}
		if err != nil {
			return err
		}
	}
}
