package dns

import (
	"net"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// entry is what is known of one question.
type entry struct {
	records []dns.RR // what is believed
	more    int      // records that were too many
	reason  string   // why there are none, for people
	tried   bool     // there was a reply in this run
	asking  bool     // one is under way
	due     time.Time

	denied   time.Time // since when it is said that there are no records, where that is not believed yet
	failure  string    // why the last reply was no answer; "": it was
	since    time.Time // when that began
	failures int       // in a row
}

// restart has the question asked at once, in a new run.
func (e *entry) restart() { e.tried, e.asking, e.due = false, false, time.Time{} }

// learn takes an answer with records, and reports whether anything is new.
func (e *entry) learn(a answer, c *Config) (news bool) {
	same := slices.EqualFunc(e.records, a.records, func(a, b dns.RR) bool { return text(a) == text(b) })
	news = !e.tried || !same || e.failure != "" || e.more != a.more || !e.denied.IsZero()
	*e = entry{records: a.records, more: a.more, tried: true, due: time.Now().Add(c.bound(a.ttl))}
	return news
}

// deny takes the answer that there are no records.
func (e *entry) deny(a answer, c *Config) (news bool) {
	now := time.Now()
	if e.denied.IsZero() {
		e.denied, news = now, true
	}
	if len(e.records) == 0 || now.Sub(e.denied) >= c.EmptyAfter {
		news = news || len(e.records) > 0 || e.reason != a.reason || e.failure != ""
		*e = entry{reason: a.reason, tried: true, denied: e.denied, due: now.Add(c.bound(a.ttl))}
		return news
	}
	e.tried, e.failure, e.since, e.failures = true, a.reason, e.denied, 0
	e.due = now.Add(min(c.MinTTL, c.EmptyAfter-now.Sub(e.denied)))
	return news
}

const (
	firstRetry = time.Second // after a failure; each one in a row doubles it
	longRetry  = 30 * time.Second
)

// fail keeps what is known.
func (e *entry) fail(err error) (news bool) {
	now := time.Now()
	news = !e.tried || e.failure != err.Error()
	if e.failure == "" {
		e.since = now
	}
	e.tried, e.failure = true, err.Error()
	e.due = now.Add(min(firstRetry<<min(e.failures, 10), longRetry))
	e.failures++
	return news
}

// bound returns how long an answer is good.
func (c *Config) bound(ttl time.Duration) time.Duration { return max(min(ttl, c.MaxTTL), c.MinTTL) }

func isUnicast(ip net.IP) bool {
	return ip != nil && !ip.IsUnspecified() && !ip.IsMulticast() && !ip.IsLinkLocalUnicast() && !ip.Equal(net.IPv4bcast)
}
