//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// tally is what a load did.
type tally struct {
	requests int // that were answered
	failed   int
	took     time.Duration
}

// wrk is a load of many requests over connections that stay, or over new ones.
type wrk struct {
	connections, hosts int
	first              int // the number of the first of the hosts
	path               string
	fields             []string // of the request, beside those of a browser: "Name: value"
	tls, new           bool
}

func (w wrk) run(ctx context.Context, l *lab, i *instance, d time.Duration) (tally, error) {
	url := "http://" + i.site.HTTP + w.path
	if w.tls {
		url = "https://" + i.site.HTTPS + w.path
	}
	args := []string{
		"-t1", fmt.Sprintf("-c%d", w.connections), fmt.Sprintf("-d%ds", seconds(d)),
		"-s", filepath.Join(l.dir, "bench.lua"), url, "--",
		fmt.Sprintf("hosts=%d", w.hosts), fmt.Sprintf("first=%d", w.first),
		fmt.Sprintf("seed=%d", time.Now().Nanosecond()),
	}
	if w.new {
		args = append(args, "close=yes")
	}
	for _, field := range w.fields {
		args = append(args, "field="+field)
	}
	text, err := runToEnd(ctx, "wrk", args...)
	if err != nil {
		return tally{}, err
	}
	return parseWrk(text)
}

// seconds is how both programs want a duration.
func seconds(d time.Duration) int { return max(1, int(d.Round(time.Second).Seconds())) }

var wrkLine = regexp.MustCompile(`bench: (\d+) requests, (\d+) failed, (\d+) us`)

// parseWrk reads the line that bench.lua makes wrk say.
func parseWrk(text []byte) (tally, error) {
	m := wrkLine.FindSubmatch(text)
	if m == nil {
		return tally{}, fmt.Errorf("wrk did not say what it did: %s", lastLine(text))
	}
	requests, failed, us := number(m[1]), number(m[2]), number(m[3])
	return tally{requests, failed, time.Duration(us) * time.Microsecond}, nil
}

// h2load is a load of HTTP/2 requests, many at once over each connection.
type h2load struct {
	connections, streams int
	tls                  bool
}

func (h h2load) run(ctx context.Context, _ *lab, i *instance, d time.Duration) (tally, error) {
	url := "http://" + i.site.H2C + smallPath
	if h.tls {
		url = "https://" + i.site.HTTPS + smallPath
	}
	args := []string{
		"-t1", fmt.Sprintf("-c%d", h.connections), fmt.Sprintf("-m%d", h.streams),
		"-D", strconv.Itoa(seconds(d)),
	}
	args = append(args, "-H", ":authority: "+hostOf(0))
	for _, field := range browserFields() {
		args = append(args, "-H", field)
	}
	text, err := runToEnd(ctx, "h2load", append(args, url)...)
	if err != nil {
		return tally{}, err
	}
	return parseH2load(text)
}

var (
	h2loadTime = regexp.MustCompile(`finished in ([0-9.]+)(us|ms|s),`)
	h2loadLine = regexp.MustCompile(`requests: \d+ total, .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout`)
)

// parseH2load reads h2load's summary.
func parseH2load(text []byte) (tally, error) {
	took, line := h2loadTime.FindSubmatch(text), h2loadLine.FindSubmatch(text)
	if took == nil || line == nil {
		return tally{}, fmt.Errorf("h2load did not say what it did: %s", lastLine(text))
	}
	d, err := time.ParseDuration(string(took[1]) + string(took[2]))
	if err != nil {
		return tally{}, errors.Join(err, errors.New("h2load said no time"))
	}
	return tally{number(line[1]), number(line[2]), d}, nil
}

// number reads digits that a regular expression has found.
func number(digits []byte) int {
	n, _ := strconv.Atoi(string(digits))
	return n
}

// browserFields are what a browser sends with a request; bench.lua has the same.
func browserFields() []string {
	return []string{
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
		"Accept-Language: en-GB,en;q=0.9,de;q=0.8",
		"Accept-Encoding: gzip, deflate, br",
		"Referer: https://r00000.bench.example/catalogue/boats?page=2",
		"Cookie: session=7f3b2c9d41e84aa0b6d1; theme=dark; consent=yes",
	}
}

// writeLoad puts what wrk reads into the folder.
func writeLoad(dir string) error {
	script, err := templates.ReadFile("peers/bench.lua")
	if err != nil {
		return fmt.Errorf("reading bench.lua: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, "bench.lua"), script, 0o600)
}
