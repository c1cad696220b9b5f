package soak_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// These clients do what they should not. They expect to be cut off, or to be answered; not to be left waiting.

const (
	bigDownload = "GET /bytes?n=2000000 HTTP/1.1\r\nHost: steady.example\r\n\r\n"
	smallGet    = "GET /bytes?n=100 HTTP/1.1\r\nHost: steady.example\r\n\r\n"
	beganUpload = "POST /sum HTTP/1.1\r\nHost: steady.example\r\nContent-Length: 1000000\r\n\r\nsome of it"
	// mercy is how long the program may let a client wait that it is about to cut off.
	mercy = 40 * time.Second
)

// reset breaks the connection off in the middle of a request or of its answer.
func (w *world) reset(ctx context.Context, random *rand.Rand) error {
	conn, err := w.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	request := []string{bigDownload, beganUpload, smallGet}[random.IntN(3)]
	_, _ = io.WriteString(conn, request)
	if random.IntN(2) == 0 {
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		_, _ = conn.Read(make([]byte, 1000))
	}
	return conn.SetLinger(0)
}

// halfClose says that it has said everything. It is answered, or the connection is closed.
func (w *world) halfClose(ctx context.Context, random *rand.Rand) error {
	conn, err := w.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, []string{bigDownload, beganUpload, smallGet, smallGet[:20], ""}[random.IntN(5)])
	_ = conn.CloseWrite()
	return ends(conn)
}

// slowHead sends a head that is never complete.
func (w *world) slowHead(ctx context.Context, _ *rand.Rand) error {
	conn, err := w.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	go func() {
		for ctx.Err() == nil {
			if _, err := io.WriteString(conn, "X"); err != nil {
				return
			}
			pause(ctx, 500*time.Millisecond)
		}
	}()
	return ends(conn)
}

// noise is no HTTP.
func (w *world) noise(ctx context.Context, random *rand.Rand) error {
	conn, err := w.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	rubbish := make([]byte, random.IntN(20_000))
	for i := range rubbish {
		rubbish[i] = byte(random.IntN(256))
	}
	_, _ = conn.Write(rubbish)
	_ = conn.CloseWrite()
	return ends(conn)
}

// slowReader takes an answer a little at a time, and gets all of it.
func (w *world) slowReader(ctx context.Context, _ *rand.Rand) error {
	conn, err := w.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetReadBuffer(32 << 10)
	if _, err := io.WriteString(conn, bigDownload); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	for total := int64(0); ; {
		n, err := io.CopyN(io.Discard, answer.Body, 100_000)
		total += n
		switch {
		case errors.Is(err, io.EOF) && total == 2_000_000:
			return nil
		case err != nil:
			return fmt.Errorf("a slow reader got %d bytes: %w", total, err)
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// idle opens a connection and says nothing.
func (w *world) idle(ctx context.Context, _ *rand.Rand) error {
	conn, err := w.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return ends(conn)
}

// ends expects the end of the connection, whatever comes before it.
func ends(conn net.Conn) error {
	_ = conn.SetReadDeadline(time.Now().Add(mercy))
	_, err := io.Copy(io.Discard, conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("the program left a client waiting")
	}
	if err != nil && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
