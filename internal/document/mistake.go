package document

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// Mistake is one thing in a document that does not fit the struct it is decoded into.
type Mistake struct {
	At      Position
	Field   string // the path from the decoded node, as written: "servers[0].url"; "" is the node itself
	Unknown bool   // there is no such key; its value was ignored
	Message string
	Value   *Node // what an unknown key holds; otherwise nil
}

// Error returns "file:line: field: message".
func (m Mistake) Error() string {
	if m.Field == "" {
		return fmt.Sprintf("%s: %s", m.At, m.Message)
	}
	return fmt.Sprintf("%s: %s: %s", m.At, m.Field, m.Message)
}

// UnknownField says that a name is not among the known ones, and which of them was probably meant.
func UnknownField(name string, known []string) string {
	message := fmt.Sprintf("unknown field %q", shorten(name))
	if nearest := Nearest(name, known); nearest != "" {
		message += fmt.Sprintf("; did you mean %q?", nearest)
	}
	return message
}

// Nearest returns the known name that differs least from name, or "" where none is near. Letter case does not count. Of
// equally near ones it is the first in the alphabet.
func Nearest(name string, known []string) string {
	const longest = 64 // a longer name is no slip of the finger
	if len(name) > longest {
		return ""
	}
	best, least := "", max(1, len(name)/3)+1
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := levenshtein.Distance(strings.ToLower(name), strings.ToLower(k), nil); d < least {
			best, least = k, d
		}
	}
	return best
}

// join appends a name to a path.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
