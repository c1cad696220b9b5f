package soak_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// world is where clients find the program.
type world struct {
	plain, secure string // host:port
}

// client does one thing with the program. What it returns is what should not have happened.
type client func(ctx context.Context, random *rand.Rand) error

// kinds are all clients, with how many of each there are.
func (w *world) kinds() map[string]struct {
	n  int
	do client
} {
	type kind = struct {
		n  int
		do client
	}
	h1, h1tls, h2, h2c := w.user(1, false), w.user(1, true), w.user(2, true), w.user(2, false)
	return map[string]kind{
		"http1":           {4, h1.anything("steady.example")},
		"http1 to h2c":    {2, h1.anything("h2c.example")},
		"http1 over tls":  {2, h1tls.anything("steady.example")},
		"http2":           {4, h2.anything("steady.example")},
		"http2 to h2c":    {2, h2.anything("h2c.example")},
		"h2c to h2c":      {2, h2c.anything("h2c.example")},
		"dying":           {3, h1.download("dying.example", 10_000)},
		"dying, http2":    {2, h2.download("dying.example", 10_000)},
		"new connections": {2, w.newConnection},
		"events":          {2, h1.events},
		"events, http2":   {2, h2.events},
		"websocket":       {2, w.socket},
		"leaves":          {2, h1.leave},
		"leaves, http2":   {2, h2.leave},
		"cut":             {1, h1.cut},
		"cut, http2":      {1, h2.cut},
		"resets":          {2, w.reset},
		"half-closes":     {1, w.halfClose},
		"slow head":       {1, w.slowHead},
		"slow reader":     {1, w.slowReader},
		"slow upload":     {1, h1.slowUpload},
		"slow upload, h2": {1, h2.slowUpload},
		"noise":           {1, w.noise},
		"idle":            {1, w.idle},
	}
}

// user is somebody with a browser: it keeps connections.
type user struct {
	base string
	http *http.Client
}

func (w *world) user(version int, secure bool) *user {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(version == 1)
	protocols.SetHTTP2(version == 2)
	protocols.SetUnencryptedHTTP2(version == 2)
	base := "http://" + w.plain
	if secure {
		base = "https://" + w.secure
	}
	return &user{base, &http.Client{Transport: &http.Transport{
		Protocols: protocols, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 8,
		// Before the program's timeouts, also that for the head of the first request: this transport keeps connections
		// that it has opened for nothing. So a request and the end of its connection do not cross.
		IdleConnTimeout: 3 * time.Second,
	}}}
}

// ask makes a request.
func (u *user) ask(ctx context.Context, method, host, path string, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, u.base+path, body)
	if err != nil {
		return nil, err
	}
	r.Host = host
	return u.http.Do(r)
}

// anything is what a user does who behaves.
func (u *user) anything(host string) client {
	return func(ctx context.Context, random *rand.Rand) error {
		switch n := random.IntN(10); {
		case n < 5:
			return u.download(host, random.IntN(4_000))(ctx, random)
		case n < 7:
			return u.download(host, random.IntN(3_000_000))(ctx, random)
		default:
			return u.upload(ctx, host, random)
		}
	}
}

func (u *user) download(host string, size int) client {
	return func(ctx context.Context, random *rand.Rand) error {
		path := fmt.Sprintf("/bytes?n=%d", size)
		if random.IntN(2) == 0 {
			path += "&chunked=1"
		}
		answer, err := u.ask(ctx, http.MethodGet, host, path, nil)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return unexpected(answer)
		}
		want, got := sha256.New(), sha256.New()
		_, _ = io.Copy(want, io.LimitReader(&endless{}, int64(size)))
		if n, err := io.Copy(got, answer.Body); err != nil || n != int64(size) {
			return fmt.Errorf("%d of %d bytes: %w", n, size, err)
		}
		if !bytes.Equal(want.Sum(nil), got.Sum(nil)) {
			return fmt.Errorf("%d bytes that are not those of the service", size)
		}
		return nil
	}
}

func (u *user) upload(ctx context.Context, host string, random *rand.Rand) error {
	var body io.Reader
	sent, size := sha256.New(), random.IntN(1_000_000)
	content := io.TeeReader(io.LimitReader(&endless{}, int64(size)), sent)
	if body = content; random.IntN(2) == 0 { // with a length
		whole, _ := io.ReadAll(content)
		body = bytes.NewReader(whole)
	}
	answer, err := u.ask(ctx, http.MethodPost, host, "/sum", body)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("after an upload of %d bytes: %w %w", size, unexpected(answer), err)
	}
	if want := hex.EncodeToString(sent.Sum(nil)); string(got) != want {
		return fmt.Errorf("an upload of %d bytes came as others", size)
	}
	return nil
}

// events reads some server-sent events and leaves.
func (u *user) events(ctx context.Context, random *rand.Rand) error {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	answer, err := u.ask(ctx, http.MethodGet, "steady.example", "/events", nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	for n := range random.IntN(20) {
		want := fmt.Sprintf("data: %d\n\n", n)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(answer.Body, got); err != nil || string(got) != want {
			return fmt.Errorf("event %d: %q %w", n, got, err)
		}
	}
	return nil
}

// leave begins a large download and goes away.
func (u *user) leave(ctx context.Context, random *rand.Rand) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(1+random.IntN(20))*time.Millisecond)
	defer cancel()
	answer, err := u.ask(ctx, http.MethodGet, "steady.example", "/bytes?n=50000000", nil)
	if err != nil {
		return nil // left before the answer
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, int64(random.IntN(1_000_000)))
	return nil
}

// cut asks for an answer that breaks in the middle: the client must see that it did.
func (u *user) cut(ctx context.Context, _ *rand.Rand) error {
	answer, err := u.ask(ctx, http.MethodGet, "steady.example", "/cut", nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if n, err := io.Copy(io.Discard, answer.Body); err == nil {
		return fmt.Errorf("an answer that broke after %d bytes looked whole", n)
	}
	return nil
}

// slowUpload sends a body byte by byte.
func (u *user) slowUpload(ctx context.Context, _ *rand.Rand) error {
	body, client := io.Pipe()
	defer client.Close()
	go func() {
		for range 30 {
			if _, err := client.Write([]byte("x")); err != nil {
				return
			}
			pause(ctx, 100*time.Millisecond)
		}
		_ = client.Close()
	}()
	answer, err := u.ask(ctx, http.MethodPost, "steady.example", "/sum", body)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	sum := sha256.Sum256([]byte(strings.Repeat("x", 30)))
	if got, err := io.ReadAll(answer.Body); err != nil || string(got) != hex.EncodeToString(sum[:]) {
		return fmt.Errorf("a slow upload: %q %w", got, err)
	}
	return nil
}

// socket exchanges messages over a WebSocket.
func (w *world) socket(ctx context.Context, random *rand.Rand) error {
	c, answer, err := websocket.Dial(ctx, "ws://"+w.plain+"/socket", &websocket.DialOptions{Host: "steady.example"})
	if err != nil {
		return err
	}
	if answer.Body != nil {
		defer answer.Body.Close()
	}
	defer c.CloseNow()
	for range random.IntN(20) {
		sent := strings.Repeat(pattern, random.IntN(400))
		if err := c.Write(ctx, websocket.MessageText, []byte(sent)); err != nil {
			return err
		}
		if _, got, err := c.Read(ctx); err != nil || string(got) != sent {
			return fmt.Errorf("%d bytes over a WebSocket came back as %d: %w", len(sent), len(got), err)
		}
	}
	if random.IntN(2) == 0 {
		return nil // without a word
	}
	return c.Close(websocket.StatusNormalClosure, "")
}

func (w *world) newConnection(ctx context.Context, random *rand.Rand) error {
	u := w.user(1+random.IntN(2), random.IntN(2) == 0)
	defer u.http.CloseIdleConnections()
	return u.download("steady.example", random.IntN(4_000))(ctx, random)
}

func unexpected(answer *http.Response) error {
	return fmt.Errorf("%s (%s)", answer.Status, answer.Header.Get("Fairlead-Reason"))
}

// dial opens a connection that ends with ctx.
func (w *world) dial(ctx context.Context) (*net.TCPConn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", w.plain)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	return conn.(*net.TCPConn), nil
}
