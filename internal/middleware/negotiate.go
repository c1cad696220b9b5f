package middleware

import (
	"strconv"
	"strings"
)

// negotiate returns the encoding of offered, the best first, that a client likes most (RFC 9110 §12.5.3); "": none. A
// client that says nothing (lines is empty), or "*", gets fallback, if there is one.
func negotiate(lines, offered []string, fallback string) string {
	if len(lines) == 0 {
		return fallback
	}
	accepted := acceptedCodings(lines)
	wildcard, any := accepted["*"]
	identity, named := accepted["identity"]
	if !named {
		identity = 0 // acceptable, but nobody asks for it
	}
	best, quality := "", identity
	for _, encoding := range offered {
		q, ok := accepted[encoding]
		if !ok && any {
			q = wildcard
			if encoding == fallback && q > 0 {
				q += 0.0001 // among those that "*" stands for, the one that the owner prefers
			}
		}
		if q > quality || q == quality && best == "" && q > 0 {
			best, quality = encoding, q
		}
	}
	return best
}

// acceptedCodings returns the quality of each coding in Accept-Encoding.
func acceptedCodings(lines []string) map[string]float64 {
	accepted := map[string]float64{}
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			coding, parameters, _ := strings.Cut(element, ";")
			coding = strings.ToLower(strings.TrimSpace(coding))
			if coding == "x-gzip" { // RFC 9110 §8.4.1.3
				coding = "gzip"
			}
			if coding != "" {
				accepted[coding] = qualityOf(parameters)
			}
		}
	}
	return accepted
}

// qualityOf reads "q=0.5" (RFC 9110 §12.4.2). What cannot be read is no wish.
func qualityOf(parameters string) float64 {
	name, value, found := strings.Cut(parameters, "=")
	if !found || !strings.EqualFold(strings.TrimSpace(name), "q") {
		if strings.TrimSpace(parameters) == "" {
			return 1
		}
		return 0
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return q
}
