package middleware

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	bundleType     = "application/vnd.openpolicyagent.bundles" // of a server that knows long polls
	bundleInterval = time.Minute
	bundleRetry    = time.Second // after a failure; twice as long after each
)

// ownPolicy is a policy that runs here. Where it is from a bundle server, it is fetched again and again from the first
// request on, and the last good one decides.
type ownPolicy struct {
	spec   *model.OPA
	of     model.Ref
	client *identityClient
	err    error // of a policy that is given
	now    atomic.Pointer[policy]
	free   chan struct{} // has an element for each decision that is being made

	begin sync.Once
	tried chan struct{} // closed when the first fetch has ended
	end   context.CancelFunc
	ctx   context.Context

	mu    sync.Mutex
	wrong string // what was wrong with the last fetch; "": nothing
	since time.Time
	etag  string
}

func newOwnPolicy(spec *model.OPA, of model.Ref, client *identityClient) *ownPolicy {
	o := &ownPolicy{
		spec: spec, of: of, client: client, free: make(chan struct{}, maxDeciding), tried: make(chan struct{}),
	}
	o.ctx, o.end = context.WithCancel(context.Background())
	switch {
	case spec.Bundle != nil:
		return o
	case spec.Archive != "":
		o.err = o.use(readBundle(spec.Archive, spec.Verification))
	default:
		o.err = o.use(readRego(spec.Policy))
	}
	close(o.tried)
	return o
}

// use makes a policy the one that decides.
func (o *ownPolicy) use(s source, err error) error {
	if err != nil {
		return err
	}
	p, err := s.compile(o.spec)
	if err != nil {
		return err
	}
	o.now.Store(p)
	return nil
}

func (o *ownPolicy) close() {
	o.end()
	o.client.close()
}

// decide waits for the first policy, no longer than for a server's answer.
func (o *ownPolicy) decide(ctx context.Context, input map[string]any) (decision, error) {
	if o.spec.Bundle != nil {
		o.begin.Do(func() { go o.follow() })
	}
	select {
	case <-o.tried:
	case <-ctx.Done():
		return decision{}, ctx.Err()
	}
	p := o.now.Load()
	if p == nil {
		return decision{}, errUnreachable
	}
	select {
	case o.free <- struct{}{}:
		defer func() { <-o.free }()
	case <-ctx.Done():
		return decision{}, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, decisionTime(o.spec))
	defer cancel()
	d, err := p.decide(ctx, input)
	if err != nil && !errors.Is(context.Cause(ctx), context.Canceled) {
		o.client.log.Warn("a policy says neither yes nor no", "middleware", o.of.String(), "error", shortened(err))
	}
	return d, err
}

// follow keeps the policy up to date.
func (o *ownPolicy) follow() {
	retry := time.Duration(0)
	for {
		long, err := o.fetch()
		if o.ctx.Err() != nil {
			return
		}
		o.note(err)
		select {
		case <-o.tried:
		default:
			close(o.tried)
		}
		interval := cmp.Or(o.spec.Bundle.Interval, bundleInterval)
		wait := interval
		switch {
		case err != nil:
			retry = min(max(2*retry, bundleRetry), max(interval, bundleRetry))
			wait = retry
		case long:
			wait, retry = 0, 0
		default:
			retry = 0
		}
		pause := time.NewTimer(wait + rand.N(wait/10+time.Millisecond)) //nolint:gosec // spreading load needs no secret
		select {
		case <-pause.C:
		case <-o.ctx.Done():
			pause.Stop()
			return
		}
	}
}

// fetch asks for a policy that is newer than the one that is known. long says that the server answered when there was
// one, or after as long as it was allowed to wait.
func (o *ownPolicy) fetch() (long bool, err error) {
	b := o.spec.Bundle
	ctx, cancel := context.WithTimeout(o.ctx, o.client.timeout+b.LongPoll)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.URL, nil)
	if err != nil {
		return false, err
	}
	r.Header.Set("Prefer", "modes=snapshot")
	if b.LongPoll > 0 && o.now.Load() != nil {
		r.Header.Set("Prefer", fmt.Sprintf("modes=snapshot;wait=%d", max(1, int(b.LongPoll/time.Second))))
	}
	if o.etag != "" {
		r.Header.Set("If-None-Match", o.etag)
	}
	if token := o.spec.Token.Reveal(); token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := o.client.Do(r)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	long = b.LongPoll > 0 && kind == bundleType
	switch answer.StatusCode {
	case http.StatusNotModified:
		return long, nil
	case http.StatusOK:
	default:
		return false, fmt.Errorf("the server answers %d", answer.StatusCode)
	}
	archive, err := io.ReadAll(io.LimitReader(answer.Body, maxBundle+1))
	switch {
	case err != nil:
		return false, err
	case len(archive) > maxBundle:
		return false, errors.New("the bundle is larger than 16 MiB")
	}
	if err := o.use(readBundle(string(archive), o.spec.Verification)); err != nil {
		return false, err
	}
	o.etag = answer.Header.Get("Etag")
	o.client.log.Info("a policy is in use", "middleware", o.of.String(), "bundle", b.URL, "etag", o.etag)
	return long, nil
}

// note remembers what is wrong, and tells it once.
func (o *ownPolicy) note(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	was := o.wrong
	if o.wrong = ""; err != nil {
		o.wrong = shortened(err)
	}
	if o.wrong != "" && was == "" {
		o.since = time.Now()
		o.client.log.Warn("cannot get a bundle", "middleware", o.of.String(), "bundle", o.spec.Bundle.URL, "error", o.wrong)
	}
}

func (o *ownPolicy) problem() (model.Problem, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	effect := "the policy of before decides until it can be"
	if o.now.Load() == nil {
		effect = "requests are answered 503 until it can be"
	}
	return model.Problem{
		Object: model.Object{Kind: model.KindMiddleware, Ref: o.of}, Field: "opa.bundle", Code: model.Unreachable,
		Message: "the bundle cannot be used: " + o.wrong + "; " + effect, Since: o.since,
	}, o.wrong != ""
}
