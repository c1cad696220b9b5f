package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/textproto"
	"strings"
)

// Lengths of a body that are not numbers of bytes.
const (
	lengthChunked    = -1 // chunks follow (RFC 9112 §7.1)
	lengthUntilClose = -2 // a response that ends with its connection (RFC 9112 §6.3)
)

// ProtocolError is a message that is refused because a peer could read it otherwise than we do, or because it is too
// large. Nothing of the connection can be believed after it: it is to be closed.
type ProtocolError struct {
	// Status is what a client is told: 400, 413, 414, 417, 431, 501 or 505. In a response of a service it means 502.
	Status int
	// Section says where the rule stands: "RFC 9112 §6.3".
	Section string
	// Reason says what is wrong, without the peer's bytes.
	Reason string
}

// Error says what is wrong and where the rule stands.
func (e *ProtocolError) Error() string {
	return fmt.Sprintf("malformed HTTP: %s (%s)", e.Reason, e.Section)
}

func malformed(section, reason string) error {
	return &ProtocolError{http.StatusBadRequest, section, reason}
}

// limits bound what a stranger can make us hold.
type limits struct {
	bytes  int // of a head, or of the trailer fields of a body
	fields int // of a head, and of the trailer fields of a body
}

// head is the parsed head of a message. It is used again and again: reset forgets the message, and keeps the room.
type head struct {
	fields []Field // in the order in which they came

	// Of a request. target is the request-target as it came; host is the value of Host.
	method, target, host string

	// Of a response. reason may be empty.
	status int
	reason string

	// proto is the version as it came: "HTTP/1.0", "HTTP/1.1", or a later minor version, which is read like 1.1.
	proto string
	minor int

	// length is the body's: a number of bytes, lengthChunked, or lengthUntilClose.
	length int64
	// declared reports that there was a Content-Length: in the answer to HEAD, contentLength is not the body's length.
	declared      bool
	contentLength int64

	// keepAlive reports that another message may follow on the connection.
	keepAlive bool
	// expect is the value of Expect, the last one if there are several.
	expect string

	seen   seen
	values []string // what the one-element slices of a header lie in
}

// seen counts the fields that say where a message ends or for whom it is.
type seen struct {
	host, contentLength, transferEncoding, expect int

	coding, length      string // the values of Transfer-Encoding and Content-Length
	connClose, connKeep bool
	trailer             bool
	unusual             bool // something is said about the connection besides close and keep-alive
}

// reset forgets the message. Strings that were handed out stay what they are.
func (h *head) reset() {
	clear(h.fields)
	clear(h.values)
	*h = head{fields: h.fields[:0], values: h.values[:0]}
}

// header writes the fields into to, which has none, in the shape that net/http gives them: without Host and
// Transfer-Encoding. What is in it is valid until the next reset.
func (h *head) header(to http.Header) {
	if cap(h.values) < len(h.fields) {
		h.values = make([]string, 0, max(len(h.fields), 16))
	}
	for i := range h.fields {
		f := &h.fields[i]
		if f.Key == "Host" && h.method != "" || f.Key == "Transfer-Encoding" {
			continue
		}
		if earlier, found := to[f.Key]; found {
			to[f.Key] = append(earlier, f.Value)
			continue
		}
		n := len(h.values)
		h.values = append(h.values, f.Value)
		to[f.Key] = h.values[n : n+1 : n+1]
	}
}

// endOfHead looks for the empty line that ends a head, in b from the offset on, and returns the head's length. Where
// the end is not there yet it returns 0 and the offset to go on from. Lines end with CRLF, and with nothing else.
func endOfHead(b []byte, from int) (end, next int, err error) {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return 0, from, nil
		}
		line := b[from : from+i]
		if i == 0 || line[i-1] != '\r' {
			return 0, from, malformed("RFC 9112 §2.2", "a line ends without CR")
		}
		from += i + 1
		if i == 1 {
			return from, from, nil
		}
	}
}

// cutLine returns the first line without its CRLF, and what follows. b holds a whole head.
func cutLine(b string) (line, rest string) {
	i := strings.IndexByte(b, '\n')
	return b[:i-1], b[i+1:]
}

// parseFields reads the field lines of text up to the empty line. raw is the same text as bytes.
func (h *head) parseFields(text string, raw []byte, most int) error {
	if !isText(raw) {
		return malformed("RFC 9110 §5.5", "a control character in a field")
	}
	for {
		line, rest := cutLine(text)
		text = rest
		if line == "" {
			return nil
		}
		if len(h.fields) == most {
			return &ProtocolError{http.StatusRequestHeaderFieldsTooLarge, "RFC 6585 §5", "too many fields"}
		}
		f, err := parseField(line)
		if err != nil {
			return err
		}
		h.fields = append(h.fields, f)
		h.note(f)
	}
}

func parseField(line string) (Field, error) {
	i := 0
	upper, canonical := true, true // whether a capital is due; whether the name is as http.Header has it
	for ; i < len(line) && isToken(line[i]); i++ {
		c := line[i]
		if upper && 'a' <= c && c <= 'z' || !upper && 'A' <= c && c <= 'Z' {
			canonical = false
		}
		upper = c == '-'
	}
	switch {
	case i == len(line):
		return Field{}, malformed("RFC 9112 §5", "a field line without a colon")
	case line[i] == ':' && i > 0:
	case i == 0 && (line[0] == ' ' || line[0] == '\t'):
		return Field{}, malformed("RFC 9112 §5.2", "a folded line, or white space before the first field")
	case line[i] == ' ' || line[i] == '\t':
		return Field{}, malformed("RFC 9112 §5.1", "white space before the colon")
	default:
		return Field{}, malformed("RFC 9110 §5.1", "a field name that is no token")
	}
	f := Field{Name: line[:i], Value: trim(line[i+1:])}
	f.Key = f.Name
	if !canonical {
		f.Key = textproto.CanonicalMIMEHeaderKey(f.Name)
	}
	return f, nil
}

// note remembers what says where the message ends, and whether another may follow.
func (h *head) note(f Field) {
	switch f.Key {
	case "Host":
		h.seen.host++
		h.host = f.Value
	case "Content-Length":
		h.seen.contentLength++
		h.seen.length = f.Value
	case "Transfer-Encoding":
		h.seen.transferEncoding++
		h.seen.coding = f.Value
	case "Connection":
		h.seen.connClose = h.seen.connClose || hasToken(f.Value, "close")
		h.seen.connKeep = h.seen.connKeep || hasToken(f.Value, "keep-alive")
		h.seen.unusual = h.seen.unusual || !equalFold(f.Value, "close") && !equalFold(f.Value, "keep-alive")
	case "Expect":
		h.seen.expect++
		h.expect = f.Value
	case "Trailer":
		h.seen.trailer = true
	case "Te", "Upgrade":
		h.seen.unusual = true
	}
}

// frame finds out how long the body is and whether the connection stays open. without is the length when neither field
// says it.
func (h *head) frame(without int64) error {
	s := &h.seen
	h.length = without
	if s.contentLength > 1 {
		return malformed("RFC 9112 §6.3", "more than one Content-Length")
	}
	if s.transferEncoding > 0 {
		if err := h.checkCoding(); err != nil {
			return err
		}
		h.length = lengthChunked
	}
	if s.contentLength == 1 {
		n, ok := parseLength(s.length)
		if !ok {
			return malformed("RFC 9110 §8.6", "Content-Length is not a number")
		}
		h.length, h.contentLength, h.declared = n, n, true
	}
	h.keepAlive = !s.connClose && (h.minor >= 1 || s.connKeep)
	return nil
}

func (h *head) checkCoding() error {
	s := &h.seen
	switch {
	case s.contentLength > 0:
		return malformed("RFC 9112 §6.3", "both Content-Length and Transfer-Encoding")
	case h.minor == 0:
		return malformed("RFC 9112 §6.1", "Transfer-Encoding in HTTP/1.0")
	case s.transferEncoding > 1:
		return malformed("RFC 9112 §6.1", "more than one Transfer-Encoding")
	case equalFold(s.coding, "chunked"):
		return nil
	}
	others, last := "", s.coding
	if i := strings.LastIndexByte(s.coding, ','); i >= 0 {
		others, last = s.coding[:i], trim(s.coding[i+1:])
	}
	if !equalFold(last, "chunked") || hasToken(others, "chunked") {
		return malformed("RFC 9112 §6.3", "chunked is not the last transfer coding, once")
	}
	return &ProtocolError{http.StatusNotImplemented, "RFC 9112 §6.1", "a transfer coding other than chunked"}
}

// parseLength reads 1*DIGIT that fits into 63 bits.
func parseLength(s string) (int64, bool) {
	if s == "" || len(s) > 19 {
		return 0, false
	}
	var n uint64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + uint64(s[i]-'0')
	}
	return int64(n), n < 1<<63
}

// hasToken reports whether a comma-separated list has the token, without regard to case.
func hasToken(list, token string) bool {
	for list != "" {
		item, rest, _ := strings.Cut(list, ",")
		if equalFold(trim(item), token) {
			return true
		}
		list = rest
	}
	return false
}

// equalFold compares without regard to the case of ASCII letters. strings.EqualFold would take the Kelvin sign for a k,
// and chun\u212aed for chunked.
func equalFold(s, t string) bool {
	if len(s) != len(t) {
		return false
	}
	for i := range len(s) {
		if lower(s[i]) != lower(t[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// trim cuts off optional white space (RFC 9110 §5.6.3).
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// The characters of a token (RFC 9110 §5.6.2), as bits: those below 64, and the others.
const (
	tokenLow = 1<<'!' | 1<<'#' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'*' | 1<<'+' | 1<<'-' | 1<<'.' |
		(1<<10-1)<<'0'
	tokenHigh = 1<<('^'-64) | 1<<('_'-64) | 1<<('`'-64) | 1<<('|'-64) | 1<<('~'-64) |
		(1<<26-1)<<('A'-64) | (1<<26-1)<<('a'-64)
)

func isToken(c byte) bool {
	return (uint64(1)<<c)&tokenLow|(uint64(1)<<(c-64))&tokenHigh != 0
}

// isText reports whether lines hold no control characters but tabs and the CR of each CRLF. Every LF has a CR before
// it: endOfHead saw to that. Eight bytes at a time, as every byte of every head passes here.
func isText(b []byte) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for len(b) >= 8 {
		word := binary.LittleEndian.Uint64(b)
		deleted := word ^ 0x7f*ones
		below := (word - 0x20*ones) & ^word & tops  // some byte is below 0x20
		equal := (deleted - ones) & ^deleted & tops // some byte is 0x7f
		if below|equal != 0 && !isTextSlow(b[:8], b) {
			return false
		}
		b = b[8:]
	}
	return isTextSlow(b, b)
}

// isTextSlow checks part, with which all begins.
func isTextSlow(part, all []byte) bool {
	for i, c := range part {
		switch {
		case c >= 0x20 && c != 0x7f, c == '\t', c == '\n':
		case c == '\r' && i+1 < len(all) && all[i+1] == '\n':
		default:
			return false
		}
	}
	return true
}
