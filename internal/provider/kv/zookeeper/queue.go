package zookeeper

import (
	"sync"

	"github.com/go-zookeeper/zk"
)

// queue keeps what was heard until it is asked for. Nothing waits when it adds to it.
type queue struct {
	some chan struct{} // has one in it while there is something

	mu   sync.Mutex
	all  []zk.Event
	lost bool
}

func newQueue() *queue { return &queue{some: make(chan struct{}, 1)} }

// add is called for every event of the connection.
func (q *queue) add(e zk.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case e.Type == zk.EventSession:
		switch e.State {
		case zk.StateDisconnected, zk.StateExpired, zk.StateAuthFailed:
			q.lost = true
		default:
			return
		}
	case e.Type == zk.EventNotWatching:
		q.lost = true
	default:
		q.all = append(q.all, e)
	}
	select {
	case q.some <- struct{}{}:
	default:
	}
}

// take returns what was heard since it was last called.
func (q *queue) take() ([]zk.Event, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lost {
		return nil, errLost
	}
	all := q.all
	q.all = nil
	return all, nil
}
