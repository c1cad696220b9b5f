//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"golang.org/x/sync/errgroup"
)

// idleWork measures what connections cost that are open and do nothing. Each has had one request answered.
type idleWork struct{ tls bool }

func (idleWork) fresh() bool { return true }

func (idleWork) columns() []column {
	return []column{
		{"MB idle", func(r result) string { return orDash("%.1f", r.Memory) }},
		{"bytes each of 1,000", func(r result) string { return orDash("%.0f", r.Connection1K) }},
		{"bytes each of 10,000", func(r result) string { return orDash("%.0f", r.Connection10K) }},
	}
}

func (w idleWork) measure(ctx context.Context, r *run, up []*instance) (results []result, err error) {
	for _, i := range up {
		saw := i.result(1)
		if err := w.visit(ctx, r, i, &saw); err != nil {
			return nil, fmt.Errorf("%s: %w", i.name, err)
		}
		results = append(results, saw)
	}
	return results, nil
}

func (w idleWork) visit(ctx context.Context, r *run, i *instance, saw *result) error {
	var open []net.Conn
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	before, err := settled(ctx, i)
	if err != nil {
		return err
	}
	saw.Memory = float64(before) / (1 << 20)
	for _, step := range []struct {
		total int
		each  *float64
	}{
		{1_000, &saw.Connection1K}, {10_000, &saw.Connection10K},
	} {
		if step.total > r.plan.idle {
			break
		}
		r.say("%d idle connections to %s", step.total, i.name)
		more, err := w.open(ctx, i, step.total-len(open))
		open = append(open, more...)
		if err != nil {
			return err
		}
		after, err := settled(ctx, i)
		if err != nil {
			return err
		}
		*step.each = float64(after-before) / float64(step.total)
		saw.Requests = step.total
	}
	return nil
}

// open opens connections, a few at once. It returns those that it opened also where it fails.
func (w idleWork) open(ctx context.Context, i *instance, n int) ([]net.Conn, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	opened := make(chan net.Conn, n)
	for range n {
		group.Go(func() error {
			conn, err := w.dial(ctx, i)
			if err != nil {
				return err
			}
			opened <- conn
			return exchange(conn, "")
		})
	}
	err := group.Wait()
	close(opened)
	var open []net.Conn
	for conn := range opened {
		open = append(open, conn)
	}
	return open, err
}

func (w idleWork) dial(ctx context.Context, i *instance) (net.Conn, error) {
	if w.tls {
		return dialTLS(ctx, i.site.HTTPS)
	}
	return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", i.site.HTTP)
}

// settled returns the memory of a proxy after a moment to come to rest, in bytes.
func settled(ctx context.Context, i *instance) (int64, error) {
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(time.Second):
	}
	return memory(i.pid())
}
