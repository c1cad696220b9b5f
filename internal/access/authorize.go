package access

import (
	"errors"
	"time"
)

// What a caller of Authorize learns.
var (
	// ErrRefused: not a good key. Why is not said to whoever presented it.
	ErrRefused = errors.New("key refused")
	// ErrForbidden: a good key that may not do this.
	ErrForbidden = errors.New("the key does not have the scope")
)

// Reason is why a key was not accepted: for counters and for the operator, never for whoever presented it.
type Reason string

// The reasons.
const (
	Malformed   Reason = "malformed"    // not the text of any key: a typing error, or something else
	Unknown     Reason = "unknown"      // no key has this id
	WrongSecret Reason = "wrong_secret" // not, or since a rotation no longer, the key's secret
	Revoked     Reason = "revoked"
	Expired     Reason = "expired" // the key is, or the overlap of its former secret
	Forbidden   Reason = "forbidden"
)

// Authorize accepts a presented key (without "Bearer ") that is good and has the scope, or fails with [ErrRefused] or
// [ErrForbidden]. It waits for nothing and allocates nothing.
func (k *Keys) Authorize(presented, scope string) (*Session, error) {
	id, secret, ok := parse(presented)
	if !ok {
		return nil, k.refuse(Malformed, ErrRefused)
	}
	e, known := (*k.table.Load())[id]
	if !known {
		e = k.nobody // so that an unknown id costs what a wrong secret costs
	}
	slot := e.match(hashOf(secret))
	now := time.Now()
	switch {
	case !known:
		return nil, k.refuse(Unknown, ErrRefused)
	case slot == nil:
		return nil, k.refuse(WrongSecret, ErrRefused)
	case !e.Revoked.IsZero():
		return nil, k.refuse(Revoked, ErrRefused)
	case slot.over(now):
		return nil, k.refuse(Expired, ErrRefused)
	case !allow(e.Scopes, scope):
		return nil, k.refuse(Forbidden, ErrForbidden)
	}
	e.use.note(now)
	return slot.session, nil
}

// VerifyKey reports whether the key is good and has the scope, and who owns it.
func (k *Keys) VerifyKey(key, scope string) (owner string, ok bool) {
	session, err := k.Authorize(key, scope)
	if err != nil {
		return "", false
	}
	return session.Owner(), true
}

// refuse counts the reason and returns err.
func (k *Keys) refuse(reason Reason, err error) error {
	if k.options.Refused != nil {
		k.options.Refused(reason)
	}
	return err
}
