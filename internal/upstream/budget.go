package upstream

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	budgetWindow = 10 // seconds that count
	budgetSlots  = 16 // a power of two above budgetWindow
)

// budget bounds the retries of one service to a part of its requests in the last ten seconds, with a floor. Retries
// beyond it would turn an overload into a collapse.
type budget struct {
	percent, floor uint64
	slots          [budgetSlots]budgetSlot
	mu             sync.Mutex // for retries
}

// budgetSlot counts one second. When its second is over it is used for a later one; a request that is counted in that
// very moment may be lost, which does not matter.
type budgetSlot struct {
	second   atomic.Int64
	requests atomic.Uint64
	retries  atomic.Uint64
}

func newBudget(t Tuning) budget {
	return budget{percent: uint64(max(0, t.RetryPercent)), floor: uint64(max(0, t.RetryFloor))}
}

// slot returns the slot of the second that now falls in.
func (b *budget) slot(now int64) *budgetSlot {
	second := now / int64(time.Second)
	s := &b.slots[second%budgetSlots]
	if old := s.second.Load(); old != second && s.second.CompareAndSwap(old, second) {
		s.requests.Store(0)
		s.retries.Store(0)
	}
	return s
}

// request counts a request.
func (b *budget) request(now int64) { b.slot(now).requests.Add(1) }

// retry takes one retry out of the budget, if there is one.
func (b *budget) retry(now int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	var requests, retries uint64
	oldest := now/int64(time.Second) - budgetWindow
	for i := range b.slots {
		if s := &b.slots[i]; s.second.Load() > oldest {
			requests += s.requests.Load()
			retries += s.retries.Load()
		}
	}
	if retries >= max(b.floor*budgetWindow, requests*b.percent/100) {
		return false
	}
	b.slot(now).retries.Add(1)
	return true
}
