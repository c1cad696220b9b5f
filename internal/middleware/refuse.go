package middleware

import "net/http"

// ReasonSetter is a ResponseWriter that wants to know why an answer did not come from a service, for the access log and
// the metrics. It may be wrapped, if the wrappers have Unwrap as [http.ResponseController] wants it.
type ReasonSetter interface {
	// SetReason takes one of a fixed list of words: "refused_by_" and the kind of the middleware, "redirected",
	// "bad_host", "bad_path".
	SetReason(reason string)
}

// refuse answers with a status and its text, and nothing that helps to guess a credential.
func refuse(w http.ResponseWriter, status int, reason string) {
	setReason(w, reason)
	http.Error(w, http.StatusText(status), status)
}

func setReason(w http.ResponseWriter, reason string) {
	if s, ok := writerOf[ReasonSetter](w); ok {
		s.SetReason(reason)
	}
}

// RuleNoter is a ResponseWriter that wants to know which rules of a firewall a request matches. It may be wrapped, as a
// [ReasonSetter].
type RuleNoter interface{ NoteRule(id int) }

// ClaimKeeper is a ResponseWriter that keeps what is proved of the client, for the middlewares behind. It may be
// wrapped, as a [ReasonSetter].
type ClaimKeeper interface {
	SetClaims(of map[string]any)
	Claims() map[string]any // nil: nothing is proved
}

// keepClaims tells the middlewares behind what is proved of the client.
func keepClaims(w http.ResponseWriter, of map[string]any) {
	if keeper, ok := writerOf[ClaimKeeper](w); ok {
		keeper.SetClaims(of)
	}
}

// writerOf finds what w is, or wraps.
func writerOf[T any](w http.ResponseWriter) (found T, ok bool) {
	for {
		if found, ok = w.(T); ok {
			return found, true
		}
		u, wraps := w.(interface{ Unwrap() http.ResponseWriter })
		if !wraps {
			return found, false
		}
		w = u.Unwrap()
	}
}
