//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// lab is where it all runs: a folder, the service, and the proxies that are up.
type lab struct {
	dir     string
	cores   cores
	files   uint64
	service *process
	port    int
	up      map[string]*instance // by site and name of the proxy
	started []*instance          // everything to be stopped
}

// instance is a proxy that serves a site.
type instance struct {
	proxy
	*process
	site    site
	written map[string][]byte // its files
	took    time.Duration     // to start
	counts  bool              // it says how much it allocates
	scrape  float64           // objects that it allocates to say so
}

// openLab makes the folder and starts the service, which is this program itself.
func openLab(ctx context.Context, dir string) (*lab, error) {
	c, err := findCores()
	if err != nil {
		return nil, err
	}
	if err := c.leave(); err != nil {
		return nil, err
	}
	files, err := raiseFiles()
	if err != nil {
		return nil, err
	}
	if err := writeCertificate(dir); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	l := &lab{dir: dir, cores: c, files: files, up: make(map[string]*instance)}
	if l.service, err = startProcess(dir, []string{serviceVariable + "=1", "GOMAXPROCS=1"}, self); err != nil {
		return nil, err
	}
	err = until(ctx, 5*time.Second, func() (err error) {
		l.port, err = strconv.Atoi(l.service.output.String())
		return err
	})
	if err != nil {
		l.close()
		return nil, fmt.Errorf("starting the service: %w: %s", err, &l.service.output)
	}
	return l, nil
}

// bringUp returns proxies that serve a site, and what is to be done when they are no longer needed. They stay up for
// other cases unless they are to be fresh.
func (l *lab) bringUp(ctx context.Context, c benchCase, proxies []proxy) (up []*instance, down func(), err error) {
	down = func() {
		for _, i := range up {
			if c.fresh() {
				i.stop()
			}
		}
	}
	for _, p := range proxies {
		get := l.bring
		if c.fresh() {
			get = l.start
		}
		i, err := get(ctx, p, c.site)
		if err != nil {
			down()
			return nil, nil, err
		}
		up = append(up, i)
	}
	return up, down, nil
}

// close stops everything.
func (l *lab) close() {
	for _, i := range l.started {
		i.stop()
	}
	l.service.stop()
}

// bring returns the proxy serving a site of that kind, started if it is not up yet.
func (l *lab) bring(ctx context.Context, p proxy, kind string) (*instance, error) {
	key := kind + "/" + p.name
	if i := l.up[key]; i != nil {
		return i, nil
	}
	i, err := l.start(ctx, p, kind)
	if err != nil {
		return nil, err
	}
	l.up[key] = i
	return i, nil
}

// start starts a proxy and returns when it serves.
func (l *lab) start(ctx context.Context, p proxy, kind string) (*instance, error) {
	addresses, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	s, err := newSite(kind, l.port)
	if err != nil {
		return nil, err
	}
	s.HTTP, s.HTTPS, s.H2C, s.Admin = addresses[0], addresses[1], addresses[2], addresses[3]
	s.Dir = filepath.Join(l.dir, fmt.Sprintf("%s-%s-%d", kind, p.name, len(l.started)))
	s.Cert, s.Key = filepath.Join(l.dir, "cert.pem"), filepath.Join(l.dir, "key.pem")
	s.Both, s.Files = filepath.Join(l.dir, "both.pem"), l.files
	contents, err := p.configuration(s)
	if err != nil {
		return nil, err
	}
	i := &instance{proxy: p, site: s, counts: strings.Contains(string(contents["fairlead.yaml"]), "metrics:")}
	if err := i.write(contents); err != nil {
		return nil, err
	}
	began := time.Now()
	err = l.cores.onProxies(func() (err error) {
		i.process, err = startProcess(s.Dir, p.env, p.binary, p.args(s)...)
		return err
	})
	if err != nil {
		return nil, err
	}
	l.started = append(l.started, i)
	if err := i.ready(ctx); err != nil {
		return nil, err
	}
	if err := i.works(ctx); err != nil {
		return nil, err
	}
	i.took = time.Since(began)
	first, err := i.mallocs(ctx)
	if err != nil {
		return nil, err
	}
	second, err := i.mallocs(ctx)
	i.scrape = second - first
	return i, err
}

// write writes the proxy's files, as far as they differ from what is there.
func (i *instance) write(contents map[string][]byte) error {
	for name, content := range contents {
		if before, there := i.written[name]; there && bytes.Equal(before, content) {
			continue
		}
		path := filepath.Join(i.site.Dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("making a folder: %w", err)
		}
		// Whole, or not at all: some watch.
		if err := os.WriteFile(path+".new", content, 0o600); err != nil {
			return fmt.Errorf("writing a configuration: %w", err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			return fmt.Errorf("putting a configuration in place: %w", err)
		}
	}
	i.written = contents
	return nil
}

// ready waits until the proxy serves its last route, and checks that it does its work.
func (i *instance) ready(ctx context.Context) error {
	last := i.site.Routes[len(i.site.Routes)-1].Host
	var head string
	err := until(ctx, time.Minute, func() (err error) {
		select {
		case <-i.ended:
			return errEnded
		default:
		}
		head, err = get(ctx, i.site.HTTP, last, "/head")
		return err
	})
	if err != nil {
		return fmt.Errorf("starting %s: %w: %s", i.name, err, &i.output)
	}
	for _, field := range []string{"host: " + last, "x-forwarded-for: 127.0.0.1", "x-forwarded-proto: http"} {
		if !strings.Contains(strings.ToLower(head), "\r\n"+field+"\r\n") {
			return fmt.Errorf("%s does not send %q, so it does less than the others; it sends\n%s", i.name, field, head)
		}
	}
	return nil
}

// works checks that the proxy does with answers what the site says.
func (i *instance) works(ctx context.Context) error {
	host := i.site.Routes[0].Host
	if i.site.Compress {
		_, smaller, err := ask(ctx, i.site.HTTP, host, textPath)
		if err == nil && !smaller {
			err = fmt.Errorf("%s does not make answers smaller", i.name)
		}
		return err
	}
	if i.site.Cache {
		first, err := get(ctx, i.site.HTTP, host, cachedPath)
		if err != nil {
			return err
		}
		second, err := get(ctx, i.site.HTTP, host, cachedPath)
		if err == nil && first != second {
			err = fmt.Errorf("%s does not keep answers", i.name)
		}
		return err
	}
	return nil
}

// errEnded ends waiting for a process.
var errEnded = errors.New("it has ended")

// get returns the body of an answer with the status 200, over a new connection.
func get(ctx context.Context, address, host, path string) (string, error) {
	body, _, err := ask(ctx, address, host, path)
	return body, err
}

// ask is get, and reports whether the body came smaller, with gzip.
func ask(ctx context.Context, address, host, path string) (body string, smaller bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return "", false, err
	}
	request.Host = host
	transport := &http.Transport{DisableKeepAlives: true, DialContext: new(net.Dialer).DialContext}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return "", false, err
	}
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s", address, answer.Status)
	}
	return string(read), answer.Uncompressed, err
}

// reread makes the proxy read its files again.
func (i *instance) reread(ctx context.Context) error {
	switch {
	case i.hup:
		return i.cmd.Process.Signal(syscall.SIGHUP)
	case i.usr2:
		return i.cmd.Process.Signal(syscall.SIGUSR2)
	case i.reload != nil:
		_, err := runToEnd(ctx, i.binary, i.reload(i.site)...)
		return err
	}
	return nil
}

// until tries until it succeeds, the time is over, or it is hopeless.
func until(ctx context.Context, limit time.Duration, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := try()
		if err == nil || errors.Is(err, errEnded) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}
