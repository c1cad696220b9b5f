package main

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// streamApp is an application that speaks no HTTP: it greets with its name, and echoes lines.
type streamApp struct {
	name    string
	tls     *tls.Config
	byName  bool // it is a fake of PostgreSQL: TLS begins when it is asked for
	proxied bool // a line of the PROXY protocol comes first, and becomes part of the greeting
}

// startStreamApp starts an application of a kind. The second time it has the address that it had the first time.
func startStreamApp(c *call) error {
	const synopsis = "streamapp NAME plain|proxied|tls|postgres|udp"
	if len(c.args) != 2 {
		return usage(synopsis)
	}
	a := streamApp{name: c.args[0]}
	variable, address := envName(a.name), c.address
	if before := c.ts.Getenv(variable); before != "" {
		address = before
	}
	if was := c.apps[a.name]; was != nil {
		was.close()
	}
	var addr net.Addr
	var stop func()
	var err error
	switch c.args[1] {
	case "udp":
		addr, stop, err = a.listenUDP(address)
	case "tls", "postgres":
		der, key, bad := selfSigned(a.name)
		if bad != nil {
			return bad
		}
		a.tls = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
		a.byName = c.args[1] == "postgres"
		addr, stop, err = a.listen(address)
	case "plain", "proxied":
		a.proxied = c.args[1] == "proxied"
		addr, stop, err = a.listen(address)
	default:
		return usage(synopsis)
	}
	if err != nil {
		return err
	}
	c.apps[a.name] = &scriptApp{name: a.name, stop: stop}
	c.ts.Setenv(variable, addr.String())
	return nil
}

func (a streamApp) listen(address string) (net.Addr, func(), error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, nil, err
	}
	var mu sync.Mutex
	open := make(map[net.Conn]struct{})
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = struct{}{}
			mu.Unlock()
			go func() {
				a.serve(conn)
				mu.Lock()
				defer mu.Unlock()
				delete(open, conn)
				_ = conn.Close()
			}()
		}
	}()
	return l.Addr(), func() {
		_ = l.Close()
		mu.Lock()
		defer mu.Unlock()
		for conn := range open {
			_ = conn.Close()
		}
	}, nil
}

func (a streamApp) serve(conn net.Conn) {
	greeting := a.name
	in := bufio.NewReader(conn)
	switch {
	case a.proxied:
		line, _ := in.ReadString('\n')
		greeting += " " + strings.TrimSpace(line)
	case a.byName:
		var request [8]byte
		if _, err := io.ReadFull(in, request[:]); err != nil || binary.BigEndian.Uint32(request[4:]) != 80877103 {
			return
		}
		_, _ = io.WriteString(conn, "S")
	}
	if a.tls != nil {
		secure := tls.Server(conn, a.tls)
		defer secure.Close()
		conn, in = secure, bufio.NewReader(secure)
	}
	if _, err := fmt.Fprintln(conn, greeting); err == nil {
		_, _ = io.Copy(conn, in)
	}
}

func (a streamApp) listenUDP(address string) (net.Addr, func(), error) {
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil, nil, err
	}
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo([]byte(a.name+" "+string(buffer[:n])), from)
		}
	}()
	return conn.LocalAddr(), func() { _ = conn.Close() }, nil
}

// talking is a stream that a script has open.
type talking struct {
	net.Conn
	in *bufio.Reader
}

// talk opens a stream, sends a line, and shows what comes back: the greeting and the line. With -keep the stream stays
// open under a name, and talk NAME TEXT goes on with it.
func talk(c *call) error {
	const synopsis = "talk [-tls NAME] [-postgres] [-udp] [-keep NAME] ADDRESS|NAME TEXT"
	flags := flag.NewFlagSet("talk", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	name, keep := flags.String("tls", "", ""), flags.String("keep", "", "")
	postgres, udp := flags.Bool("postgres", false, ""), flags.Bool("udp", false, "")
	if err := flags.Parse(c.args); err != nil || flags.NArg() != 2 {
		return usage(synopsis)
	}
	t := c.talks[flags.Arg(0)]
	opened := t == nil
	if opened {
		var err error
		if t, err = openTalk(flags.Arg(0), *name, *postgres, *udp); err != nil {
			return err
		}
		if *keep == "" {
			defer t.Close()
		} else {
			c.talks[*keep] = t
		}
	}
	_ = t.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := fmt.Fprintln(t, flags.Arg(1)); err != nil {
		return err
	}
	lines := 1
	if opened && !*udp {
		lines = 2 // the greeting
	}
	for range lines {
		line, err := t.in.ReadString('\n')
		c.stdout.WriteString(line)
		if err != nil {
			return fmt.Errorf("the stream has ended: %w", err)
		}
	}
	return nil
}

func openTalk(address, name string, postgres, udp bool) (*talking, error) {
	network := "tcp"
	if udp {
		network = "udp"
	}
	conn, err := net.DialTimeout(network, address, 2*time.Second)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	if postgres {
		answer := make([]byte, 1)
		_, _ = conn.Write([]byte{0, 0, 0, 8, 4, 210, 22, 47})
		if _, err := io.ReadFull(conn, answer); err != nil || answer[0] != 'S' {
			_ = conn.Close()
			return nil, errors.Join(fmt.Errorf("asked for TLS, answered %q", answer), err)
		}
	}
	if name != "" {
		secure := tls.Client(conn, &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err := secure.Handshake(); err != nil {
			_ = conn.Close()
			return nil, err
		}
		conn = secure
	}
	return &talking{conn, bufio.NewReader(conn)}, nil
}
