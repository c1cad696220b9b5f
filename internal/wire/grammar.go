package wire

// IsHost reports whether s is uri-host [":" port] (RFC 9110 §7.2) and the host is not empty.
func IsHost(s string) bool { return isHost(s) }

// IsToken reports whether s is a token (RFC 9110 §5.6.2): a method, or the name of a field.
func IsToken(s string) bool { return isTokenString(s) }

// IsFieldValue reports whether s may stand in a field line (RFC 9110 §5.5): without control characters but tabs.
func IsFieldValue(s string) bool { return isFieldValue(s) }

// ParseLength reads 1*DIGIT that fits into 63 bits: the value of a Content-Length (RFC 9110 §8.6).
func ParseLength(s string) (n int64, ok bool) { return parseLength(s) }

// HasToken reports whether a comma-separated list has the token, without regard to the case of ASCII letters.
func HasToken(list, token string) bool { return hasToken(list, token) }

// MayTrail reports whether a field may stand in a trailer (RFC 9110 §6.5.1); key is as http.Header has it. What says
// where a message ends, for whom it is or what becomes of its connection may not: someone may merge it into the head.
func MayTrail(key string) bool {
	switch key {
	case "", "Connection", "Content-Length", "Host", "Trailer", "Transfer-Encoding":
		return false
	}
	return true
}
