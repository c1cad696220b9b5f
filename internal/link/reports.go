package link

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/fairlead/fairlead/internal/model"
)

// reportLife is how long the report of a follower is kept when its watch is gone.
const reportLife = 10 * time.Minute

// Report is what the followers that use one key say of this instance's exported objects.
type Report struct {
	Key       string          `json:"key"`           // the key's id
	Watches   int             `json:"watches"`       // open now; 0: the follower is gone
	At        time.Time       `json:"at,omitzero"`   // when it was said; zero: nothing was said yet
	GoneSince time.Time       `json:"gone,omitzero"` // zero while a watch is open
	Problems  []model.Problem `json:"problems"`      // sorted; objects are this instance's where it still exports them
}

// Reports returns what followers said, sorted by key. Followers that have nothing to complain of are in it, too.
func (e *Exporter) Reports() []Report { return e.tellers.reports() }

// tellers are the followers, by key id.
type tellers struct {
	mu    sync.Mutex
	byKey map[string]*Report
}

// enter counts a watch in, if the key has fewer than limit.
func (t *tellers) enter(id string, limit int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.get(id)
	if r.Watches >= limit {
		return false
	}
	r.Watches++
	r.GoneSince = time.Time{}
	return true
}

func (t *tellers) leave(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.get(id)
	r.Watches--
	if r.Watches == 0 {
		r.GoneSince = time.Now()
	}
}

func (t *tellers) said(id string, problems []model.Problem) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.get(id)
	r.At, r.Problems = time.Now(), problems
}

// get returns the report of a key, a new one if there is none.
func (t *tellers) get(id string) *Report {
	t.forget()
	if t.byKey[id] == nil {
		if t.byKey == nil {
			t.byKey = map[string]*Report{}
		}
		t.byKey[id] = &Report{Key: id, GoneSince: time.Now()}
	}
	return t.byKey[id]
}

func (t *tellers) forget() {
	maps.DeleteFunc(t.byKey, func(_ string, r *Report) bool {
		return r.Watches == 0 && time.Since(r.GoneSince) > reportLife
	})
}

func (t *tellers) reports() []Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget()
	out := make([]Report, 0, len(t.byKey))
	for _, id := range slices.Sorted(maps.Keys(t.byKey)) {
		out = append(out, *t.byKey[id])
	}
	return out
}

var codeForm = regexp.MustCompile(`^[a-z][a-z_]{0,39}$`)

// understand turns what a follower said into problems of this instance's own objects. The follower is a stranger: what
// makes no sense is left out, and text is made fit to be shown.
func (e *Exporter) understand(told []ToldProblem) []model.Problem {
	var out []model.Problem
	for _, p := range told {
		if p.Kind != model.KindRoute && p.Kind != model.KindService || !codeForm.MatchString(string(p.Code)) {
			continue
		}
		ref := model.Ref{Name: model.ParseName(printable(p.Name, maxName))}
		if p.Kind == model.KindRoute {
			if local, ok := e.local(p.Name); ok {
				ref = local
			}
		}
		out = append(out, model.Problem{
			Object: model.Object{Kind: p.Kind, Ref: ref}, Field: printable(p.Field, maxName),
			Code: p.Code, Message: printable(p.Message, maxReportMsg),
		})
	}
	slices.SortFunc(out, model.Problem.Compare)
	return out
}

// printable cuts s to at most limit bytes and replaces what a terminal might act on.
func printable(s string, limit int) string {
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}
