package proxy

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/wire"
)

// Via is how an entry point signs what it passes on (RFC 9110 §7.6.3).
type Via struct {
	// Name is the pseudonym; "" signs nothing.
	Name string
	// Answers signs answers, too.
	Answers bool
}

// maxPasses is how often a request may come by under our name before it is taken to go round in circles: more than
// there are layers of clusters, and few enough to stop early.
const maxPasses = 8

// loops reports whether a request has come by too often. Everybody's default name is the same, so that a circle of
// several instances is seen, too.
func (v Via) loops(h http.Header) bool {
	passes := 0
	for _, list := range h["Via"] {
		for entry := range strings.SplitSeq(list, ",") {
			if words := strings.Fields(entry); len(words) >= 2 && words[1] == v.Name {
				passes++
			}
		}
	}
	return passes >= maxPasses
}

// sign is Via.field for what the exchange passes on.
func (x *exchange) sign(set []wire.Field, prior []string, major, minor int) []wire.Field {
	if usual := major == 1 && minor == 1 || major == 2; usual && len(prior) == 0 && x.entryPoint.Via.Name != "" {
		return append(set, wire.Field{Key: "Via", Value: x.via[major-1]})
	}
	return x.entryPoint.Via.field(set, prior, major, minor)
}

// field adds Via, which says by which protocol a message came, and to whom.
func (v Via) field(set []wire.Field, prior []string, major, minor int) []wire.Field {
	if v.Name == "" {
		return set
	}
	entry := v.entry(major, minor)
	if len(prior) > 0 {
		entry = strings.Join(slices.Concat(prior, []string{entry}), ", ")
	}
	return append(set, wire.Field{Key: "Via", Value: entry})
}

func (v Via) entry(major, minor int) string {
	switch {
	case major == 1 && minor == 1:
		return "1.1 " + v.Name
	case major == 2:
		return "2.0 " + v.Name
	}
	return strconv.Itoa(major) + "." + strconv.Itoa(minor) + " " + v.Name
}
