package rfctest

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// rule is one thing that an RFC asks of a proxy. What a rule does not mention passes unchanged: line, content and
// trailers of the request, status and content of the answer.
type rule struct {
	section string // "9110 §7.6.1"
	must    string
	on      []side // the fronts it is about; nil: all
	to      []side // the services it is about; nil: all

	send  message // by the client; the zero message is GET /
	reply message // by the service; the zero message is 200

	line     string   // that the service sees; "": as sent
	sees     []string // fields that the service sees, "name: value", values joined with "|"; CLIENT is its address
	hides    string   // names that it does not see
	trailers []string // that it sees; nil: as sent

	status  string   // that the client gets; "": as replied
	gets    []string // fields that it gets
	lacks   string   // names that it does not get
	interim []string // the statuses before
	bare    bool     // HTTP/2, HTTP/3: its head ends it
	refused bool     // the service sees nothing, or only that it was cut
	reset   bool     // HTTP/2, HTTP/3: the stream or the connection may be reset instead
}

func ones() []side  { return []side{plain1, secure1} }
func twos() []side  { return []side{plain2, secure2} }
func three() []side { return []side{secure3} }

func TestRules(t *testing.T) {
	l := newLab(t)
	for _, r := range slices.Concat(
		rules9110(), rules9110Answers(), rules9112(), rules9112Answers(), rules9113(), rules9114(),
	) {
		t.Run(r.section+" "+r.must, func(t *testing.T) {
			for _, front := range orAll(r.on, fronts()) {
				for _, to := range orAll(r.to, sides()) {
					t.Run(string(front)+"→"+string(to), func(t *testing.T) { r.check(t, l, front, to) })
				}
			}
		})
	}
}

func orAll(s, all []side) []side {
	if s == nil {
		return all
	}
	return s
}

func (r rule) check(t *testing.T, l *lab, front, to side) {
	if m := &r.send; m.line == "" && m.raw == "" && m.fields == nil {
		m.line = "GET /"
	}
	s := l.services[to]
	s.expect(r.reply)
	got, err := l.send(t, front, to, r.send)
	seen := s.seen()
	for _, s := range seen {
		if r.refused && (s.whole || s.wrong != "cut") { // what streams may have begun
			t.Errorf("the service saw %v", s)
		}
	}
	if err != nil {
		if !r.reset || !front.isHTTP2() && front != secure3 {
			t.Fatalf("no answer: %v; the service saw %v", err, seen)
		}
		return
	}
	r.checkAnswer(t, got)
	if r.refused {
		return
	}
	if len(seen) != 1 {
		t.Fatalf("the service saw %d requests: %v", len(seen), seen)
	}
	r.checkRequest(t, seen[0], s.client())
}

func (r rule) checkRequest(t *testing.T, seen received, client netip.Addr) {
	t.Helper()
	words := strings.Fields(r.send.line)
	if want := r.line; want != "" && seen.line != want || want == "" && len(words) > 1 &&
		seen.line != words[0]+" "+words[1] {
		t.Errorf("the service saw %q", seen.line)
	}
	if seen.wrong != "" || !seen.whole {
		t.Errorf("on the wire to the service: %s (whole: %v) %v", seen.wrong, seen.whole, seen)
	}
	if r.send.raw == "" && seen.body != r.send.body {
		t.Errorf("the service got %q", seen.body)
	}
	var sees []string
	for _, f := range r.sees {
		sees = append(sees, strings.ReplaceAll(f, "CLIENT", client.String()))
	}
	checkFields(t, "the service", seen, sees, r.hides)
	want := r.trailers
	if want == nil {
		want = r.send.trailers
	}
	if !sameFields(seen.trailers, want) {
		t.Errorf("the service got the trailers %q", seen.trailers)
	}
}

func (r rule) checkAnswer(t *testing.T, got received) {
	t.Helper()
	want := r.status
	if want == "" {
		want = r.reply.line
	}
	if want == "" {
		want = "200"
	}
	if got.line != want {
		t.Errorf("status %s, want %s: %v", got.line, want, got)
	}
	if got.wrong != "" || !got.whole {
		t.Errorf("on the wire to the client: %s (whole: %v) %v", got.wrong, got.whole, got)
	}
	if r.status == "" && r.reply.raw == "" && r.send.method() != "HEAD" && got.body != r.reply.body {
		t.Errorf("the client got %q", got.body)
	}
	if r.status == "" && !sameFields(got.trailers, r.reply.trailers) {
		t.Errorf("the client got the trailers %q", got.trailers)
	}
	if r.bare && !got.bare {
		t.Error("the answer goes on after its head")
	}
	var interim []string
	for _, i := range got.interim {
		interim = append(interim, i.line)
		if i.wrong != "" {
			t.Errorf("on the wire to the client: %s", i.wrong)
		}
	}
	if !slices.Equal(interim, r.interim) {
		t.Errorf("informational answers %v, want %v", interim, r.interim)
	}
	checkFields(t, "the client", got, r.gets, r.lacks)
}

// sameFields compares fields of different names, which may come in any order (RFC 9110 §5.3).
func sameFields(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func checkFields(t *testing.T, who string, r received, want []string, not string) {
	t.Helper()
	for _, f := range want {
		name, value := cutField(f)
		if got := r.values(name); got != value || !r.has(name) {
			t.Errorf("%s saw %s: %q, want %q; all: %q", who, name, got, value, r.fields)
		}
	}
	for name := range strings.FieldsSeq(not) {
		if r.has(name) {
			t.Errorf("%s saw %s: %q", who, name, r.values(name))
		}
	}
}
