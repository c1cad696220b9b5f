package model

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"unique"
)

// Secret is text that never leaves the process: every way of printing or encoding it yields "[secret]", or an error
// where a format knows no text. So a snapshot may be logged, shown, compared and sent. A middleware that has secrets is
// never exported. Secrets of the same text are equal. The zero Secret is the empty text.
type Secret struct {
	// A handle, not the text itself: package fmt calls no methods of an unexported field, and would print its content.
	text unique.Handle[string]
}

// NewSecret wraps s.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{unique.Make(s)}
}

// Reveal returns the text. Only the code that checks a credential calls it.
func (s Secret) Reveal() string {
	if s == (Secret{}) {
		return ""
	}
	return s.text.Value()
}

const redacted = "[secret]"

// String hides the text.
func (s Secret) String() string { return redacted }

// GoString hides the text.
func (s Secret) GoString() string { return redacted }

// Format hides the text from every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue hides the text.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON hides the text.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }
