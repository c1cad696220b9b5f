package access

import "sync"

// Session is the right that a secret gives, for as long as it gives it. Everybody who presents the same secret has the
// same Session; it is made once, so that being authorised costs nothing and leaves nothing behind.
type Session struct {
	id, owner string
	once      sync.Once
	done      chan struct{}
}

// newSession returns a session that has not ended.
func newSession(id, owner string) *Session {
	return &Session{id: id, owner: owner, done: make(chan struct{})}
}

// ID returns the id of the key.
func (s *Session) ID() string { return s.id }

// Owner returns who the key was given to.
func (s *Session) Owner() string { return s.owner }

// Done is closed when the secret is no longer good: its key was revoked or expired, or its overlap after a rotation is
// over. Whoever keeps a connection open for the session ends it then.
func (s *Session) Done() <-chan struct{} { return s.done }

func (s *Session) end() { s.once.Do(func() { close(s.done) }) }

func (s *Session) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}
