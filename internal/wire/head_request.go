package wire

import (
	"net/http"
	"strings"
)

const (
	preface   = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" // RFC 9113 §3.4
	maxMethod = 32
)

// parseRequest reads a whole request head, from the request line to the empty line, which raw consists of.
func (h *head) parseRequest(raw []byte, l limits) error {
	text := string(raw) // the one copy: everything below is a part of it
	line, rest := cutLine(text)
	if err := h.parseRequestLine(line); err != nil {
		return err
	}
	if err := h.parseFields(rest, raw[len(line)+2:], l.fields); err != nil {
		return err
	}
	if err := h.frame(0); err != nil {
		return err
	}
	return h.checkHost()
}

// parseRequestLine reads method SP request-target SP HTTP-version (RFC 9112 §3). Nothing but one space separates them.
func (h *head) parseRequestLine(line string) error {
	i := 0
	for i < len(line) && isToken(line[i]) {
		i++
	}
	if i == 0 || i == len(line) || line[i] != ' ' {
		return malformed("RFC 9112 §3", "no method at the beginning")
	}
	if i > maxMethod {
		return &ProtocolError{http.StatusNotImplemented, "RFC 9112 §3", "a method too long to be known"}
	}
	last := strings.LastIndexByte(line, ' ')
	if last == i {
		return malformed("RFC 9112 §3", "no version in the request line")
	}
	h.method, h.target = line[:i], line[i+1:last]
	if err := h.parseVersion(line[last+1:]); err != nil {
		return err
	}
	return h.checkTarget()
}

// foreign is the reason why what begins like no request at all is refused.
const foreign = "not HTTP/1"

// parseVersion accepts every minor version of HTTP/1: later ones are read like 1.1 (RFC 9110 §2.5).
func (h *head) parseVersion(s string) error {
	const shape = "HTTP/1.1"
	if !equalFold(s[:min(len(s), 5)], shape[:5]) {
		return malformed("RFC 9112 §2.3", foreign)
	}
	if len(s) != len(shape) || s[:5] != shape[:5] || s[6] != '.' || !isDigit(s[5]) || !isDigit(s[7]) {
		return malformed("RFC 9112 §2.3", "no HTTP version")
	}
	if s[5] != '1' {
		return &ProtocolError{http.StatusHTTPVersionNotSupported, "RFC 9110 §15.6.6", "not a version 1 of HTTP"}
	}
	h.proto, h.minor = s, int(s[7]-'0')
	return nil
}

// checkTarget accepts the four forms of RFC 9112 §3.2, each where it belongs, of characters that nobody takes for the
// end of the line or of the target.
func (h *head) checkTarget() error {
	target := h.target
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return malformed("RFC 9112 §3.2", "a character in the request target that does not belong there")
		}
	}
	switch {
	case h.method == http.MethodConnect:
		if !isHost(target) || !strings.Contains(target, ":") || !isDigit(target[len(target)-1]) {
			return malformed("RFC 9112 §3.2.3", "CONNECT to what is not host and port")
		}
	case target[:min(1, len(target))] == "/":
	case target == "*":
		if h.method != http.MethodOptions {
			return malformed("RFC 9112 §3.2.4", "the target is * and the method is not OPTIONS")
		}
	default:
		return checkAbsolute(target)
	}
	return nil
}

// checkAbsolute accepts http and https with an authority that has no user (RFC 9112 §3.2.2, RFC 9110 §4.2.4).
func checkAbsolute(target string) error {
	scheme, rest, found := strings.Cut(target, "://")
	if !found || !equalFold(scheme, "http") && !equalFold(scheme, "https") {
		return malformed("RFC 9112 §3.2", "a request target in none of the four forms")
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	if !isHost(rest[:end]) {
		return malformed("RFC 9110 §4.2.1", "no valid host in the request target")
	}
	return nil
}

// checkHost wants exactly one valid Host in HTTP/1.1, and at most one in HTTP/1.0 (RFC 9112 §3.2).
func (h *head) checkHost() error {
	switch {
	case h.seen.host > 1:
		return malformed("RFC 9112 §3.2", "more than one Host")
	case h.seen.host == 0 && h.minor >= 1:
		return malformed("RFC 9112 §3.2", "no Host")
	case h.seen.host == 1 && !isHost(h.host):
		return malformed("RFC 9112 §3.2", "Host is not a host")
	}
	return nil
}

// isHost reports whether s is uri-host [":" port] (RFC 9110 §7.2) and the host is not empty.
func isHost(s string) bool {
	host, port := s, ""
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 2 || strings.Trim(s[1:end], "0123456789abcdefABCDEF:.") != "" { // no zones: they mean nothing elsewhere
			return false
		}
		host, port = "literal", s[end+1:]
		if port != "" && port[0] != ':' {
			return false
		}
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i:]
	}
	for i := range len(host) {
		if !isHostByte(host[i]) {
			return false
		}
	}
	for i := 1; i < len(port); i++ {
		if !isDigit(port[i]) {
			return false
		}
	}
	return host != "" && len(port) <= len(":65535")
}

// isHostByte accepts what a registered name is made of: unreserved, sub-delims without the comma that would make a
// list, and percent (RFC 3986 §3.2.2).
func isHostByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', isDigit(c):
		return true
	}
	return strings.IndexByte("-._~!$&'()*+;=%", c) >= 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
