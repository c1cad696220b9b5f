package rfctest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// This file reads and writes HTTP/1.1 by itself, and is stricter than anybody must be: whatever the proxy sends has to
// be beyond doubt.

// encode1 writes a message as HTTP/1.1 has it.
func encode1(m message) string {
	if m.raw != "" {
		return m.raw
	}
	var b strings.Builder
	words := strings.Fields(m.line)
	isAnswer := len(words) == 1
	switch {
	case isAnswer:
		fmt.Fprintf(&b, "HTTP/1.1 %s Text\r\n", m.line)
	case len(words) == 3:
		fmt.Fprintf(&b, "%s\r\n", m.line)
	default:
		fmt.Fprintf(&b, "%s HTTP/1.1\r\n", m.line)
	}
	fields := m.fields
	if !isAnswer && !containsField(fields, "host") {
		fields = append([]string{"Host: a.example"}, fields...)
	}
	for _, f := range fields {
		b.WriteString(f + "\r\n")
	}
	chunked := m.chunked || len(m.trailers) > 0
	switch {
	case chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		for rest := m.body; rest != ""; {
			n := min(len(rest), 1000)
			fmt.Fprintf(&b, "%x\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		b.WriteString("0\r\n")
		for _, f := range m.trailers {
			b.WriteString(f + "\r\n")
		}
	case m.body != "" && !containsField(fields, "content-length"), isAnswer && hasBody(m.line) &&
		!containsField(fields, "content-length"):
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(m.body), m.body)
		return b.String()
	}
	b.WriteString("\r\n")
	if !chunked {
		b.WriteString(m.body)
	}
	return b.String()
}

func hasBody(status string) bool { return status[0] != '1' && status != "204" && status != "304" }

func containsField(fields []string, name string) bool {
	for _, f := range fields {
		if n, _ := cutField(f); strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// errWrong is for what must not be on a wire.
type errWrong string

func (e errWrong) Error() string { return string(e) }

// read1 reads a message. method is that of the request that it answers, "" where it is a request itself. What has been
// read is returned with an error, too.
func read1(in *bufio.Reader, method string) (r received, err error) {
	defer func() {
		if wrong, ok := errors.AsType[errWrong](err); ok {
			r.wrong = string(wrong)
		}
	}()
	if err := r.readHead(in); err != nil {
		return r, err
	}
	if method == "" {
		words := strings.Split(r.line, " ")
		if len(words) != 3 || words[2] != "HTTP/1.1" {
			return r, errWrong("request line " + r.line)
		}
		r.line = words[0] + " " + words[1]
		if n := len(strings.Split(r.values("host"), "|")); n != 1 {
			return r, errWrong(fmt.Sprintf("%d Host", n))
		}
		return r, r.readBody(in, false)
	}
	words := strings.SplitN(r.line, " ", 3)
	if len(words) < 2 || !strings.HasPrefix(words[0], "HTTP/1.") || len(words[1]) != 3 {
		return r, errWrong("status line " + r.line)
	}
	r.line = words[1]
	if r.line[0] == '1' && r.line != "101" {
		if r.has("content-length") || r.has("transfer-encoding") {
			return r, errWrong("framing in an informational answer")
		}
		final, err := read1(in, method)
		final.interim = append([]received{r}, final.interim...)
		return final, err
	}
	if method == "HEAD" || !hasBody(r.line) || r.line == "101" {
		if r.line == "204" && r.has("content-length") || r.has("transfer-encoding") && !hasBody(r.line) {
			return r, errWrong("framing in an answer without content")
		}
		r.whole = true
		return r, nil
	}
	return r, r.readBody(in, true)
}

func (r *received) readHead(in *bufio.Reader) error {
	for first := true; ; first = false {
		line, err := in.ReadString('\n')
		r.head += line
		if err != nil {
			return err
		}
		text, ok := strings.CutSuffix(line, "\r\n")
		switch {
		case !ok || strings.ContainsAny(text, "\r\x00"):
			return errWrong(fmt.Sprintf("line %q", line))
		case first:
			r.line = text
			continue
		case text == "":
			return nil
		}
		f, err := parseField1(text)
		if err != nil {
			return err
		}
		r.fields = append(r.fields, f)
	}
}

func parseField1(text string) (string, error) {
	name, value, found := strings.Cut(text, ":")
	if !found || name == "" || strings.ContainsAny(name, " \t\"(),/:;<=>?@[\\]{}") {
		return "", errWrong(fmt.Sprintf("field %q", text))
	}
	return field(name, value), nil
}

// readBody reads the body of a request or an answer that has one.
func (r *received) readBody(in *bufio.Reader, untilClose bool) error {
	length, coding := r.values("content-length"), r.values("transfer-encoding")
	switch {
	case r.has("content-length") && r.has("transfer-encoding"):
		return errWrong("both lengths")
	case r.has("transfer-encoding"):
		if coding != "chunked" {
			return errWrong("coding " + coding)
		}
		return r.readChunks(in)
	case r.has("content-length"):
		n, err := strconv.ParseUint(length, 10, 63)
		if err != nil {
			return errWrong("length " + length)
		}
		body, err := io.ReadAll(io.LimitReader(in, int64(n)))
		r.body, r.whole = string(body), err == nil && len(body) == int(n)
		return err
	case untilClose:
		body, err := io.ReadAll(in)
		r.body, r.whole = string(body), err == nil
		return err
	}
	r.whole = true
	return nil
}

func (r *received) readChunks(in *bufio.Reader) error {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		size, ok := strings.CutSuffix(line, "\r\n")
		n, err := strconv.ParseUint(size, 16, 31)
		if !ok || err != nil {
			return errWrong(fmt.Sprintf("chunk %q", line))
		}
		if n == 0 {
			break
		}
		chunk := make([]byte, n+2)
		if _, err := io.ReadFull(in, chunk); err != nil {
			return err
		}
		if string(chunk[n:]) != "\r\n" {
			return errWrong("no end of a chunk")
		}
		r.body += string(chunk[:n])
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		text, ok := strings.CutSuffix(line, "\r\n")
		if !ok {
			return errWrong(fmt.Sprintf("trailer %q", line))
		}
		if text == "" {
			r.whole = true
			return nil
		}
		f, err := parseField1(text)
		if err != nil {
			return err
		}
		r.trailers = append(r.trailers, f)
	}
}

// client1 sends a request over HTTP/1.1 and returns the answer.
func client1(conn net.Conn, m message) (received, error) {
	if _, err := io.WriteString(conn, encode1(m)); err != nil {
		return received{}, err
	}
	return read1(bufio.NewReader(conn), m.method())
}

// serve1 is a service that speaks HTTP/1.1 on a connection.
func (s *service) serve1(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		if _, err := in.Peek(1); err != nil {
			return
		}
		if s.floods(conn, in) {
			return
		}
		r, err := read1(in, "")
		if err != nil && r.wrong == "" {
			r.wrong = "cut"
		}
		answer := s.record(r)
		if err != nil || !r.whole {
			return
		}
		for _, interim := range answer.interim {
			_, _ = io.WriteString(conn, encode1(interim))
		}
		text := encode1(answer)
		if strings.HasPrefix(r.line, "HEAD ") && answer.raw == "" {
			text, _, _ = strings.Cut(text, "\r\n\r\n")
			text += "\r\n\r\n"
		}
		if _, err := io.WriteString(conn, text); err != nil || answer.cut {
			return
		}
	}
}
