package proxy

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// hopElement is what one proxy says in Forwarded about who sent it a request (RFC 7239 §4).
type hopElement struct {
	client netip.Addr // of for=; the zero Addr: hidden or unknown
	proto  string
}

// addForwarded returns Forwarded with our element: who is connected to us, what for, and how.
func addForwarded(prior []string, hop netip.Addr, host, scheme string) string {
	element := "for=unknown"
	switch {
	case hop.Is6():
		element = `for="[` + hop.String() + `]"`
	case hop.IsValid():
		element = "for=" + hop.String()
	}
	element += ";host=" + quoted(host) + ";proto=" + scheme
	return strings.Join(slices.Concat(prior, []string{element}), ", ")
}

// quoted is a host as the value of a parameter: a port, or an address of IPv6, is no token.
func quoted(host string) string {
	if strings.Trim(host, "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz") == "" && host != "" {
		return host
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(host) + `"`
}

// adoptForwarded says in X-Forwarded-For and X-Forwarded-Proto what Forwarded says, so that there is one way to read
// them. What is not well-formed counts for nothing. X-Forwarded-For, where it came, is believed rather.
func (t trust) adoptForwarded(h http.Header) {
	if len(h["X-Forwarded-For"]) > 0 || len(h["Forwarded"]) == 0 {
		return
	}
	elements, ok := parseForwarded(h["Forwarded"])
	if !ok {
		return
	}
	var list []string
	for _, e := range elements {
		said := "unknown"
		if e.client.IsValid() {
			said = e.client.String()
		}
		list = append(list, said)
	}
	h["X-Forwarded-For"] = []string{strings.Join(list, ", ")}
	if len(h["X-Forwarded-Proto"]) > 0 {
		return
	}
	// The proxy that the client reached is the one that names the first stranger, seen from here.
	for i, e := range slices.Backward(elements) {
		if stranger := !t.everyone && !(e.client.IsValid() && t.includes(e.client)); stranger || i == 0 {
			if e.proto == "http" || e.proto == "https" {
				h["X-Forwarded-Proto"] = []string{e.proto}
			}
			return
		}
	}
}

// parseForwarded reads lists of elements, which are lists of parameters (RFC 7239 §4).
func parseForwarded(lists []string) (elements []hopElement, ok bool) {
	for _, rest := range lists {
		for e, more := (hopElement{}), true; more; {
			var name, value string
			if name, value, rest, ok = cutParameter(rest); !ok {
				return nil, false
			}
			switch strings.ToLower(name) {
			case "for":
				e.client = parseAddr(value)
			case "proto":
				e.proto = strings.ToLower(value)
			}
			more = rest != ""
			if !more || rest[0] == ',' {
				elements, e = append(elements, e), hopElement{}
			}
			if more {
				rest = strings.TrimLeft(rest[1:], " \t")
			}
		}
	}
	return elements, len(elements) > 0
}

// cutParameter reads name=value, the value as a token or quoted. What follows begins with a semicolon or a comma, or
// is the end.
func cutParameter(s string) (name, value, rest string, ok bool) {
	name, s, ok = strings.Cut(s, "=")
	if !ok || name == "" || s == "" || strings.ContainsAny(name, " \t,;\"") {
		return "", "", "", false
	}
	if s[0] != '"' {
		end := strings.IndexAny(s, " \t,;\"")
		if end < 0 {
			end = len(s)
		}
		value, rest = s[:end], s[end:]
	} else {
		value, rest, ok = cutQuoted(s[1:])
	}
	rest = strings.TrimLeft(rest, " \t")
	return name, value, rest, ok && value != "" && (rest == "" || rest[0] == ',' || rest[0] == ';')
}

// cutQuoted reads up to the closing quotation mark.
func cutQuoted(s string) (value, rest string, ok bool) {
	var text strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return text.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		text.WriteByte(s[i])
	}
	return "", "", false
}
