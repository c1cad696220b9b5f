package dns

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// Config says which names are asked for, and whom.
type Config struct {
	Source  model.Source
	Servers []string      // "host:port", asked in turn; empty: those of /etc/resolv.conf, as it is at the start of a run
	Timeout time.Duration // for the answer of one server
	// MinTTL and MaxTTL bound how long an answer is good, whatever it says.
	MinTTL, MaxTTL time.Duration
	// EmptyAfter is how long it must be said that a name has no addresses until that is believed of one that had some.
	EmptyAfter time.Duration
	Services   []Service
	Options    dynamic.WorkloadOptions
}

// Service is a service, and the name by which its addresses are known.
type Service struct {
	Name   string // of the service
	Host   string // of DNS, without a dot at the end
	Type   string // "A", "AAAA", "SRV"; "": A, or AAAA where there are none
	Port   uint16 // SRV has its own
	Scheme string // "": http
	Labels map[string]string
	TXT    bool // the name's records of type TXT are labels, too
}

// Provider asks for the names. It remembers the answers from run to run.
type Provider struct {
	config    Config
	workloads *dynamic.Workloads
	entries   map[question]*entry
	heard     time.Time // when a server answered last

	exchange exchange // for tests: a DNS without a network
}

// New returns a provider. The error is about the options.
func New(c Config) (*Provider, error) {
	w, err := dynamic.NewWorkloads(c.Source, c.Options)
	return &Provider{config: c, workloads: w, entries: map[question]*entry{}, exchange: overNetwork}, err
}

// maxAsking is how many questions are under way at once.
const maxAsking = 16

// reply is what came of a question.
type reply struct {
	question
	asked   time.Time
	message *dns.Msg
	err     error
}

// Run publishes the services now and whenever the answers change. It returns an error when no server answers.
func (p *Provider) Run(ctx context.Context, publish func(model.Snapshot)) error {
	client, err := newClient(&p.config, p.exchange)
	if err != nil {
		return fmt.Errorf("finding the DNS servers: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	replies := make(chan reply, maxAsking)
	asking := 0
	defer func() {
		stop()
		for ; asking > 0; asking-- {
			<-replies
		}
	}()
	for _, e := range p.entries {
		e.restart()
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for changed := true; ; {
		needed := p.needed()
		for _, q := range due(needed, p.entries, maxAsking-asking) {
			p.entries[q].asking = true
			asking++
			go func() { replies <- client.ask(ctx, q) }()
		}
		if changed && p.settled(needed) {
			publish(p.snapshot())
			changed = false
		}
		timer.Reset(p.wait(needed, asking < maxAsking))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		case r := <-replies:
			asking--
			news, err := p.take(r)
			if err != nil {
				return err
			}
			changed = changed || news
		}
	}
}

// take learns from a reply, and reports whether it says anything new. The error says that no server can be reached.
func (p *Provider) take(r reply) (news bool, err error) {
	e := p.entries[r.question]
	if e == nil { // it is of no use any more
		return true, nil
	}
	e.asking = false
	if r.err == nil || !errors.Is(r.err, errSilent) {
		p.heard = time.Now()
	} else if !p.heard.After(r.asked) {
		return false, fmt.Errorf("asking for %s: %w", r.question, r.err)
	}
	if r.err != nil {
		return e.fail(r.err), nil
	}
	found, err := read(r.question, r.message)
	switch {
	case err != nil:
		return e.fail(err), nil
	case len(found.records) == 0:
		return e.deny(found, &p.config), nil
	}
	return e.learn(found, &p.config), nil
}

// needed returns the questions whose answers make the services, and forgets the others.
func (p *Provider) needed() []question {
	var list []question
	used := map[question]bool{}
	need := func(host string, kind uint16) *entry {
		q := question{host, kind}
		if p.entries[q] == nil {
			p.entries[q] = &entry{}
		}
		if !used[q] {
			used[q] = true
			list = append(list, q)
		}
		return p.entries[q]
	}
	addresses := func(host string) {
		if e := need(host, dns.TypeA); e.tried && e.failure == "" && len(e.records) == 0 {
			need(host, dns.TypeAAAA)
		}
	}
	for i := range p.config.Services {
		s := &p.config.Services[i]
		host := canonical(s.Host)
		switch s.Type {
		case "":
			addresses(host)
		case "SRV":
			for _, record := range need(host, dns.TypeSRV).records {
				if target := canonical(record.(*dns.SRV).Target); target != "." { // RFC 2782: there is none
					addresses(target)
				}
			}
		default:
			need(host, dns.StringToType[s.Type])
		}
		if s.TXT {
			need(host, dns.TypeTXT)
		}
	}
	for q := range p.entries {
		if !used[q] {
			delete(p.entries, q)
		}
	}
	return list
}

// due returns the questions that are to be asked now, n at most.
func due(needed []question, entries map[question]*entry, n int) (list []question) {
	now := time.Now()
	for _, q := range needed {
		if e := entries[q]; len(list) < n && !e.asking && !now.Before(e.due) {
			list = append(list, q)
		}
	}
	return list
}

// settled reports whether each question was asked since the start of the run.
func (p *Provider) settled(needed []question) bool {
	for _, q := range needed {
		if !p.entries[q].tried {
			return false
		}
	}
	return true
}

// wait returns how long nothing is due that may be asked.
func (p *Provider) wait(needed []question, may bool) time.Duration {
	wait := p.config.MaxTTL
	for _, q := range needed {
		if e := p.entries[q]; may && !e.asking {
			wait = min(wait, time.Until(e.due))
		}
	}
	return max(wait, 0)
}
