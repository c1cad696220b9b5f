package rfctest

import (
	"slices"
	"strings"
)

// rules9114 is what RFC 9114 asks of who takes requests over HTTP/3 and passes them on: what RFC 9113 asks for heads
// and messages of HTTP/2, and what is said of frames on a request's stream.
func rules9114() []rule { return slices.Concat(rulesOfBoth(), frameRules9114(), laxRules9114()) }

// rulesOfBoth are those of HTTP/2 that HTTP/3 has under other numbers.
func rulesOfBoth() (both []rule) {
	sections := map[string]string{
		"9113 §8.1": "9114 §4.1", "9113 §8.1.1": "9114 §4.1.2", "9113 §8.2": "9114 §4.2", "9113 §8.2.1": "9114 §4.2",
		"9113 §8.2.2": "9114 §4.2", "9113 §8.2.3": "9114 §4.2.1", "9113 §8.3": "9114 §4.3",
		"9113 §8.3.1": "9114 §4.3.1", "9113 §8.5": "9114 §4.4",
	}
	for _, r := range rules9113() {
		if section, ok := sections[r.section]; ok && slices.Equal(r.on, twos()) && r.must != "a scheme" {
			r.section, r.on = section, three()
			r.send.fields = slices.Clone(r.send.fields)
			for i, f := range r.send.fields {
				r.send.fields[i] = strings.Replace(f, ":scheme: http", ":scheme: https", 1)
			}
			both = append(both, r)
		}
	}
	return both
}

// frameRules9114: in which order frames make a request.
func frameRules9114() []rule {
	head := fields3([]string{":method: POST", ":scheme: https", ":path: /", ":authority: a.example"})
	content := frame3(data3, []byte("hello"))
	trailer := fields3([]string{"x-sum: 1"})
	unknown := frame3(0x21, []byte("grease"))
	raw := func(frames ...[]byte) message { return message{raw: string(slices.Concat(frames...))} }
	refused := func(section, must string, frames ...[]byte) rule {
		return rule{section: section, must: must, on: three(), send: raw(frames...), status: "400", refused: true,
			reset: true}
	}
	return []rule{
		{section: "9114 §9", must: "unknown frames mean nothing", on: three(), send: raw(unknown, head, unknown, content),
			line: "POST /"},
		{section: "9110 §7.6.3", must: "a request over HTTP/3 is signed so", on: three(), send: message{line: "GET /"},
			sees: []string{"via: 3.0 fairlead"}},
		refused("9114 §4.1", "a request begins with its head", content, head),
		refused("9114 §4.1", "content does not come after a trailer", head, content, trailer, content),
		refused("9114 §4.1", "nor does another trailer", head, content, trailer, trailer),
		refused("9114 §4.1", "a stream without a head is no request", unknown),
		refused("9114 §7.1", "a frame that is cut is none", head[:len(head)-2]),
		refused("9114 §7.1", "content that is cut and has a length is none",
			fields3([]string{":method: POST", ":scheme: https", ":path: /", ":authority: a", "content-length: 5"}),
			content[:len(content)-2]),
		refused("9114 §7.2.4", "SETTINGS are not for a request's stream", head, frame3(settings3, nil), content),
		refused("9114 §7.2.6", "GOAWAY is not for a request's stream", head, frame3(0x7, []byte{0}), content),
		refused("9114 §7.2.8", "frames of HTTP/2 are none", head, frame3(0x8, []byte{0, 0, 0, 1}), content),
		refused("9204 §2.2", "a table that was not announced is not referred to", frame3(headers3, []byte{2, 0, 0x80})),
	}
}

// laxRules9114: what quic-go lets pass that RFC 9114 calls an error. Nothing follows from it but for the client itself:
// what the service sees is a whole request beyond doubt, and what else is on the stream belongs to nobody.
func laxRules9114() []rule {
	head := []string{":method: POST", ":scheme: https", ":path: /", ":authority: a.example"}
	content := frame3(data3, []byte("hello"))
	lax := func(section, must string, frames ...[]byte) rule {
		return rule{section: section, must: must + " (lax)", on: three(), line: "POST /",
			send: message{raw: string(slices.Concat(frames...))}}
	}
	return []rule{
		lax("9114 §4.3.1", "a scheme", fields3(slices.Delete(slices.Clone(head), 1, 2)), content),
		lax("9114 §7.1", "content that is cut, without a length", fields3(head), content[:len(content)-2]),
		lax("9114 §7.2.5", "clients do not push", fields3(head), frame3(0x5, []byte{0}), content),
	}
}
