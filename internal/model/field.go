package model

import (
	"net/textproto"
	"strings"
)

// CGIField returns the canonical name that services which read fields as CGI does (RFC 3875 §4.1.18) take a canonical
// name for: X_User is X-User there, and some take X.User for it, too. Mostly it is the name itself.
func CGIField(name string) string {
	if strings.IndexByte(name, '_') < 0 && strings.IndexByte(name, '.') < 0 {
		return name
	}
	return textproto.CanonicalMIMEHeaderKey(strings.NewReplacer("_", "-", ".", "-").Replace(name))
}
