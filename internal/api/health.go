package api

import (
	"net/http"
)

// alive answers as long as there is somebody to answer.
func (s *server) alive(w http.ResponseWriter, _ *http.Request) error {
	return answerFresh(w, http.StatusOK, Status{"alive"})
}

// ready answers whether clients should be sent here: every source has said what it knows, or its deadline has passed,
// and that is served.
func (s *server) ready(w http.ResponseWriter, _ *http.Request) error {
	if served := s.Proxy.Snapshot(); served != nil && s.Catalog.Whole(served) {
		return answerFresh(w, http.StatusOK, Status{"ready"})
	}
	e := problem(http.StatusServiceUnavailable, "the first configuration is not served yet")
	for _, p := range s.sources(s.look()) {
		if p.Status == statusAwaited {
			e.Awaited = append(e.Awaited, p.Source)
		}
	}
	return e
}

func (s *server) isReady() bool {
	select {
	case <-s.Catalog.Ready():
		return true
	default:
		return false
	}
}
