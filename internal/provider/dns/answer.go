package dns

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/miekg/dns"
)

const (
	maxRecords = 256 // of one name and type
	maxAliases = 16  // on the way to a name's records
)

// answer is what a message says.
type answer struct {
	records []dns.RR // sorted; empty: there are none
	more    int      // that were too many
	ttl     time.Duration
	reason  string // why there are none, for people
}

// read reads the answer to a question: the records of its type at the end of the aliases (CNAME, RFC 1034 §3.6.2).
func read(q question, m *dns.Msg) (answer, error) {
	host := q.host
	ttl := ^uint32(0)
	var a answer
	for range maxAliases {
		next := ""
		for _, r := range m.Answer {
			h := r.Header()
			if h.Class != dns.ClassINET || canonical(h.Name) != host {
				continue
			}
			switch alias, ok := r.(*dns.CNAME); {
			case h.Rrtype == q.kind && isUsable(r):
				a.records = append(a.records, r)
				ttl = min(ttl, h.Ttl)
			case ok:
				next = canonical(alias.Target)
				ttl = min(ttl, h.Ttl)
			}
		}
		if len(a.records) > 0 || next == "" {
			a.finish(m, ttl)
			return a, nil
		}
		host = next
	}
	return a, errors.New("the name has too many aliases")
}

// finish sorts the records, and says how long all of it is good.
func (a *answer) finish(m *dns.Msg, ttl uint32) {
	if len(a.records) == 0 {
		a.reason = "the name has no such records"
		if m.Rcode == dns.RcodeNameError {
			a.reason = "there is no such name (NXDOMAIN)"
		}
		ttl = negativeTTL(m)
	}
	a.ttl = time.Duration(ttl) * time.Second
	slices.SortFunc(a.records, func(a, b dns.RR) int { return cmp.Compare(text(a), text(b)) })
	a.records = slices.CompactFunc(a.records, func(a, b dns.RR) bool { return text(a) == text(b) })
	if a.more = max(len(a.records)-maxRecords, 0); a.more > 0 {
		a.records = a.records[:maxRecords]
	}
}

// negativeTTL returns how long it is good that there are no records (RFC 2308 §5): not at all where that is not said.
func negativeTTL(m *dns.Msg) uint32 {
	for _, r := range m.Ns {
		if soa, ok := r.(*dns.SOA); ok {
			return min(soa.Hdr.Ttl, soa.Minttl)
		}
	}
	return 0
}

// text is a record without how long it is good.
func text(r dns.RR) string { return r.String()[len(r.Header().String()):] }

// isUsable reports whether a record leads anywhere. Addresses that lead to no service are none: those of nobody, of
// many, and of the link itself, where clouds keep their machines' secrets.
func isUsable(r dns.RR) bool {
	switch r := r.(type) {
	case *dns.A:
		return isUnicast(r.A)
	case *dns.AAAA:
		return isUnicast(r.AAAA)
	case *dns.SRV:
		return r.Port > 0 || r.Target == "."
	}
	return true
}
