package wire

import "net/http"

// parseResponse reads a whole response head, from the status line to the empty line, which raw consists of. method is
// that of the request: it says whether a body follows (RFC 9112 §6.3).
func (h *head) parseResponse(raw []byte, method string, l limits) error {
	text := string(raw)
	line, rest := cutLine(text)
	if err := h.parseStatusLine(line, raw[:len(line)]); err != nil {
		return err
	}
	if err := h.parseFields(rest, raw[len(line)+2:], l.fields); err != nil {
		return err
	}
	if err := h.frame(lengthUntilClose); err != nil {
		return err
	}
	return h.frameResponse(method)
}

// parseStatusLine reads HTTP-version SP status-code SP [ reason-phrase ]. Many services leave out the second space when
// there is no reason; it is not missed.
func (h *head) parseStatusLine(line string, raw []byte) error {
	if len(line) < len("HTTP/1.1 200") || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return malformed("RFC 9112 §4", "no status line")
	}
	if err := h.parseVersion(line[:8]); err != nil {
		return err
	}
	code := line[9:12]
	if code[0] < '1' || code[0] > '9' || !isDigit(code[1]) || !isDigit(code[2]) || !isText(raw) {
		return malformed("RFC 9112 §4", "no status in the status line")
	}
	h.status = int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0')
	if len(line) > 13 {
		h.reason = line[13:]
	}
	return nil
}

// frameResponse knows the responses that have no body, whatever their fields say.
func (h *head) frameResponse(method string) error {
	informational := h.status < 200
	switch {
	case (informational || h.status == http.StatusNoContent) && h.seen.transferEncoding > 0:
		return malformed("RFC 9112 §6.1", "Transfer-Encoding where there is no body")
	case informational, h.status == http.StatusNoContent, h.status == http.StatusNotModified, method == http.MethodHead:
		h.length = 0
	case h.length == lengthUntilClose:
		h.keepAlive = false
	}
	return nil
}
