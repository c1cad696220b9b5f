package telemetry

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxText is how many bytes of one text a line holds; the rest is cut off.
const maxText = 2048

// appendJSON appends the line of x in the format [JSON].
func appendJSON(b []byte, x *Exchange) []byte {
	b = append(b, `{"time":"`...)
	b = x.Start.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `","durationMs":`...)
	b = appendMilliseconds(b, x.Duration)
	b = appendJSONField(b, "entryPoint", x.EntryPoint)
	b = appendJSONField(b, "client", x.ClientAddr)
	b = appendJSONField(b, "method", x.Method)
	b = appendJSONField(b, "scheme", x.Scheme)
	b = appendJSONField(b, "host", x.Host)
	b = appendJSONField(b, "path", withoutQuery(x.Path))
	b = appendJSONField(b, "proto", x.Proto)
	b = appendJSONNumber(b, "status", int64(x.Status))
	b = appendJSONNumber(b, "bytesIn", x.BytesIn)
	b = appendJSONNumber(b, "bytesOut", x.BytesOut)
	b = appendJSONField(b, "route", x.Route)
	b = appendJSONField(b, "service", x.Service)
	b = appendJSONField(b, "cluster", x.Cluster)
	b = appendJSONField(b, "endpoint", x.Endpoint)
	b = appendJSONNumber(b, "attempts", int64(x.Attempts))
	b = appendJSONField(b, "reason", x.Reason)
	b = appendJSONField(b, "mode", x.Mode)
	if x.Trace != nil {
		b = append(b, `,"trace":"`...)
		b = append(hex.AppendEncode(b, x.Trace.ID[:]), '"')
	}
	if len(x.Rules) > 0 {
		b = append(appendRules(append(b, `,"waf":[`...), x.Rules), ']')
	}
	return append(b, "}\n"...)
}

func appendRules(b []byte, rules []int) []byte {
	for i, id := range rules {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(id), 10)
	}
	return b
}

func appendJSONNumber(b []byte, name string, n int64) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":`...)
	return strconv.AppendInt(b, n, 10)
}

func appendJSONField(b []byte, name, text string) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":"`...)
	b = appendEscaped(b, text)
	return append(b, '"')
}

// appendCommon appends the line of x in the format [Common].
func appendCommon(b []byte, x *Exchange) []byte {
	b = appendAddr(b, x.ClientAddr)
	b = append(b, " - - ["...)
	b = x.Start.UTC().AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, `] "`...)
	b = appendEscaped(b, x.Method)
	b = append(b, ' ')
	b = appendEscaped(b, withoutQuery(x.Path))
	b = append(b, ' ')
	b = appendEscaped(b, x.Proto)
	b = append(b, `" `...)
	b = strconv.AppendInt(b, int64(x.Status), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, x.BytesOut, 10)
	for _, text := range [...]string{x.EntryPoint, x.Host, x.Route, x.Service, x.Cluster, x.Endpoint} {
		b = appendQuoted(b, text)
	}
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(x.Attempts), 10)
	b = appendQuoted(b, x.Reason)
	b = appendQuoted(b, x.Mode)
	b = append(b, ' ')
	b = appendMilliseconds(b, x.Duration)
	b = append(b, "ms "...)
	if x.Trace == nil {
		return append(b, "\"-\"\n"...)
	}
	b = hex.AppendEncode(append(b, '"'), x.Trace.ID[:])
	return append(b, "\"\n"...)
}

func appendQuoted(b []byte, text string) []byte {
	if text == "" {
		text = "-"
	}
	b = append(b, ` "`...)
	b = appendEscaped(b, text)
	return append(b, '"')
}

// appendAddr appends the address of host:port, or "-".
func appendAddr(b []byte, s string) []byte {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().WithZone("").AppendTo(b)
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return a.WithZone("").AppendTo(b)
	}
	return append(b, '-')
}

// appendMilliseconds appends d with three digits after the point.
func appendMilliseconds(b []byte, d time.Duration) []byte {
	us := max(0, d.Round(time.Microsecond).Microseconds())
	b = strconv.AppendInt(b, us/1000, 10)
	return append(b, '.', byte('0'+us/100%10), byte('0'+us/10%10), byte('0'+us%10))
}

// withoutQuery cuts a query off, where a path came with one: it may hold keys.
func withoutQuery(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return path
}

// appendEscaped appends text so that it can stand between quotes, in JSON and elsewhere (RFC 8259 §7). What is not
// printable could control the terminal of whoever reads the log, and is escaped too; what is not UTF-8 becomes U+FFFD.
func appendEscaped(b []byte, text string) []byte {
	cut := len(text) > maxText
	if cut {
		text = text[:maxText]
	}
	for len(text) > 0 {
		n := plain(text)
		b = append(b, text[:n]...)
		if text = text[n:]; text == "" {
			break
		}
		r, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case strconv.IsPrint(r):
			b = utf8.AppendRune(b, r)
		default:
			b = appendEscapedRune(b, r)
		}
	}
	if cut {
		b = append(b, "…"...)
	}
	return b
}

// plain returns how many bytes at the start of text need no second look.
func plain(text string) int {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return i
		}
	}
	return len(text)
}

// appendEscapedRune appends \uXXXX, twice for what UTF-16 writes as a pair.
func appendEscapedRune(b []byte, r rune) []byte {
	if r < 0x10000 {
		return appendUnit(b, uint16(r))
	}
	r -= 0x10000
	return appendUnit(appendUnit(b, uint16(0xd800+r>>10)), uint16(0xdc00+r&0x3ff))
}

func appendUnit(b []byte, u uint16) []byte {
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[u>>12], digits[u>>8&0xf], digits[u>>4&0xf], digits[u&0xf])
}
