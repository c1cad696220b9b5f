package middleware

import (
	"net/http"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/model"
)

// connectionFields belong to one connection or frame the message (RFC 9110 §7.6.1, §8.6): changing one would let the
// two sides disagree where a message ends.
var connectionFields = map[string]bool{
	"Connection": true, "Content-Length": true, "Keep-Alive": true, "Proxy-Authenticate": true,
	"Proxy-Authorization": true, "Proxy-Connection": true, "Te": true, "Trailer": true, "Transfer-Encoding": true,
	"Upgrade": true,
}

// fieldName returns the canonical form of a header field's name, or says why a middleware may not use it.
func fieldName(place, name string) (string, error) {
	canonical := textproto.CanonicalMIMEHeaderKey(name)
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		return "", fieldError(place, "%q is not the name of a header field; use letters, digits and hyphens", name)
	case connectionFields[canonical]:
		return "", fieldError(place, "%s belongs to the connection and cannot be used here; remove it", canonical)
	case strings.HasPrefix(canonical, "Fairlead-"):
		return "", fieldError(place, "%s is reserved for what instances tell each other; choose another", canonical)
	}
	return canonical, nil
}

// identityName is fieldName for a field that tells the service who the client is. "" stays "".
func identityName(place, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	canonical, err := fieldName(place, name)
	if err == nil && canonical == "Host" {
		err = fieldError(place, "Host says where the request goes; choose another")
	}
	return canonical, err
}

// removeIdentity removes what a client says of its own identity, however services might read it. name is canonical.
func removeIdentity(h http.Header, name string) {
	delete(h, name)
	for k := range h {
		if model.CGIField(k) == name {
			delete(h, k)
		}
	}
}
