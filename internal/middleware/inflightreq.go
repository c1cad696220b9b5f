package middleware

import (
	"hash/maphash"
	"net/http"
	"sync"

	"github.com/fairlead/fairlead/internal/model"
)

// newInFlightReq admits Amount requests of each client at once. Those that do not say whom they count for share one
// client.
func newInFlightReq(s *Set, at place, spec *model.InFlightReq) (Func, error) {
	if spec.Amount < 1 {
		return nil, fieldError("inFlightReq.amount", "%d admits nobody; give at least 1", spec.Amount)
	}
	client, err := newClientKey("inFlightReq.sourceCriterion", spec.Criterion)
	if err != nil {
		return nil, err
	}
	now := stateOf(s, place{middleware: at.middleware}, "inFlightReq "+client.counts(), newInFlight)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			key := client.of(now.seed, r)
			if !now.enter(key, spec.Amount) {
				refuse(w, http.StatusTooManyRequests, "refused_by_inFlightReq")
				return
			}
			defer now.leave(key) // also when the answer is cut
			next.ServeHTTP(w, r)
		})
	}, nil
}

// inFlight counts the requests under way, by client. It has no more entries than there are requests.
type inFlight struct {
	seed   maphash.Seed
	shards [shards]struct {
		sync.Mutex
		counts map[uint64]int
	}
}

func newInFlight() *inFlight {
	n := &inFlight{seed: maphash.MakeSeed()}
	for i := range n.shards {
		n.shards[i].counts = map[uint64]int{}
	}
	return n
}

func (n *inFlight) enter(client uint64, most int) bool {
	s := &n.shards[client>>(64-shardBits)]
	s.Lock()
	defer s.Unlock()
	if s.counts[client] >= most {
		return false
	}
	s.counts[client]++
	return true
}

func (n *inFlight) leave(client uint64) {
	s := &n.shards[client>>(64-shardBits)]
	s.Lock()
	defer s.Unlock()
	if s.counts[client]--; s.counts[client] == 0 {
		delete(s.counts, client)
	}
}
