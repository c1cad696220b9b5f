package link

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	tellInterval = time.Second     // at most one report in it
	retryTell    = 5 * time.Second // after a report that was not taken
	tellLimit    = 5 * time.Second // for one report
)

// Report says which problems others found with the cluster's routes: conflicts, in the first place. They replace those
// of the call before. The cluster is told of them, together with what the follower itself found.
func (f *Follower) Report(problems []model.Problem) {
	source := model.LinkSource(f.o.Cluster)
	own := slices.DeleteFunc(slices.Clone(problems), func(p model.Problem) bool { return p.Object.Source != source })
	slices.SortFunc(own, model.Problem.Compare)
	f.mu.Lock()
	same := slices.Equal(own, f.conflicts)
	f.conflicts = own
	f.mu.Unlock()
	if !same {
		signal(f.untold)
	}
}

// told returns the body of the report.
func (f *Follower) told() []byte {
	f.mu.Lock()
	problems := append(f.known.problems(), f.conflicts...)
	f.mu.Unlock()
	slices.SortFunc(problems, model.Problem.Compare)
	problems = slices.Compact(problems)
	list := Told{Problems: []ToldProblem{}}
	for _, p := range problems[:min(len(problems), maxReports)] {
		list.Problems = append(list.Problems, ToldProblem{
			Kind: p.Object.Kind, Name: p.Object.Name.String(), Field: p.Field, Code: p.Code,
			Message: printable(p.Message, maxReportMsg),
		})
	}
	body := encode(list)
	for len(body) > maxReport {
		list.Problems = list.Problems[:len(list.Problems)/2]
		body = encode(list)
	}
	return body
}

// keepTold tells the cluster what is wrong with its objects: once for every connection, so that what was mended in the
// meantime is forgotten there, and whenever it changes.
func (f *Follower) keepTold(ctx context.Context, addr string) {
	var last []byte
	warn := slog.LevelWarn // the first time
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.untold:
		}
		body := f.told()
		if bytes.Equal(body, last) {
			continue
		}
		if err := f.tell(ctx, addr, body); err != nil && ctx.Err() == nil {
			f.o.Log.Log(ctx, warn, "the cluster cannot be told of problems", "cluster", f.o.Cluster, "error", err)
			warn = slog.LevelDebug
			signal(f.untold)
			pause(ctx, retryTell)
			continue
		}
		last = body
		pause(ctx, tellInterval)
	}
}

func (f *Follower) tell(ctx context.Context, addr string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, tellLimit)
	defer cancel()
	r, err := f.request(ctx, http.MethodPost, addr, PathProblems, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := f.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return accepted(answer, http.StatusNoContent)
}
