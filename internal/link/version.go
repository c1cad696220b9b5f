package link

import (
	"fmt"
	"net/http"
	"strconv"
)

// Version is the highest version of the link protocol that this program speaks. The follower says its own in the
// Fairlead-Link-Version field; the exporter answers, in "hello", with the lower of the two.
//
// A new field or kind of event does not raise the number, because receivers ignore what they do not know. The number
// is raised when ignoring would be wrong.
//
//   - 1 (2026-11-22): hello, reset, set, del, synced, heartbeat; routes over HTTP; problems reported back.
const Version = 1

const versionField = "Fairlead-Link-Version"

// agree returns the version to speak with the sender of h, which may be a person with curl that says none.
func agree(h http.Header) (int, error) {
	said := h.Get(versionField)
	if said == "" {
		return Version, nil
	}
	v, err := strconv.Atoi(said)
	if err != nil || v < 1 {
		return 0, fmt.Errorf("%s is not a version of the link protocol", versionField)
	}
	return min(v, Version), nil
}
