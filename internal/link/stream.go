package link

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// The ways in which a stream can be broken, apart from ending.
var (
	errNoHello = errors.New("the stream does not begin with hello: this is not a link entry point")
	errEpoch   = errors.New("the cluster resumed from a state that this follower does not have")
)

// sink takes what a stream says, in order. An error ends the stream.
type sink interface {
	hello(Hello) error
	synced(b *batch, rev uint64) error
	// heartbeat brings capacity. rev is 0 where the state may not be resumed from there.
	heartbeat(capacity []Service, rev uint64)
}

// read decodes a watch until it ends or breaks; it never returns nil. alive is called at every line.
func read(body io.Reader, to sink, alive func()) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 16<<10), maxLine)
	s := stream{to: to}
	for lines.Scan() {
		alive()
		if err := s.line(lines.Bytes()); err != nil {
			return err
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("an event is longer than %d bytes", maxLine)
	case err != nil:
		return fmt.Errorf("reading the stream: %w", err)
	}
	return fmt.Errorf("the cluster ended the stream: %w", io.EOF)
}

type stream struct {
	to      sink
	greeted bool
	open    *batch // what came since the last synced; nil: nothing
}

func (s *stream) line(line []byte) error {
	var ev Event
	if err := json.Unmarshal(line, &ev); err != nil {
		return fmt.Errorf("an event cannot be read: %w", err)
	}
	if !s.greeted {
		if ev.Hello == nil {
			return errNoHello
		}
		s.greeted = true
		return s.to.hello(*ev.Hello)
	}
	switch {
	case ev.Reset:
		s.open = newBatch(true)
	case ev.Set != nil:
		return s.set(ev.Set)
	case ev.Del != nil:
		return s.del(ev.Del)
	case ev.Synced:
		b := s.batch()
		s.open = nil
		return s.to.synced(b, ev.Rev)
	case ev.Heartbeat != nil:
		if s.open != nil {
			ev.Rev = 0 // to resume from there would skip what is open
		}
		s.to.heartbeat(ev.Heartbeat.Capacity, ev.Rev)
	}
	return nil
}

func (s *stream) batch() *batch {
	if s.open == nil {
		s.open = newBatch(false)
	}
	return s.open
}

func (s *stream) set(set *Set) error {
	b := s.batch()
	b.size += len(set.Route) + len(set.Service)
	switch {
	case set.Route != nil:
		b.routes[routeName(set.Route)] = set.Route
	case set.Service != nil:
		service, err := decodeService(set.Service)
		b.services[service.Name] = &knownService{service, err}
	}
	return b.fits()
}

func (s *stream) del(del *Del) error {
	b := s.batch()
	b.size += len(del.Route) + len(del.Service)
	switch {
	case del.Route != "":
		b.routes[del.Route] = nil
	case del.Service != "":
		b.services[del.Service] = nil
	}
	return b.fits()
}

// routeName reads the name and leaves the rest for later; it is "" where that cannot be read.
func routeName(raw []byte) string {
	var named struct{ Name string }
	if json.Unmarshal(raw, &named) != nil {
		return ""
	}
	return named.Name
}
