package middleware

import (
	"fmt"
	"hash/maphash"
	"net/http"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// clientKey says what counts as one client: a field, the host, or the address.
type clientKey struct {
	header string
	host   bool
	ip     clientIP
}

// newClientKey makes what a definition asks for; place is where it stands.
func newClientKey(place string, spec model.Criterion) (clientKey, error) {
	byIP := spec.Depth != 0 || len(spec.Excluded) > 0 || spec.IPv6Subnet != 0
	if spec.ByHeader != "" && (spec.ByHost || byIP) || spec.ByHost && byIP {
		return clientKey{}, fieldError(place, "has several of requestHeaderName, requestHost and ipStrategy; keep one")
	}
	ip, err := newClientIP(place, spec.ClientAddress)
	if err != nil {
		return clientKey{}, err
	}
	k := clientKey{host: spec.ByHost, ip: ip}
	if spec.ByHeader != "" {
		k.header, err = fieldName(place+".requestHeaderName", spec.ByHeader)
		k.host = k.header == "Host"
	}
	return k, err
}

// counts names what k counts: equal texts, equal clients.
func (k clientKey) counts() string { return fmt.Sprint(k.header, k.host, k.ip) }

// name returns what makes a client, for those who count together.
func (k clientKey) name(r *http.Request) string {
	switch {
	case k.host:
		return strings.ToLower(hostOnly(r.Host))
	case k.header != "":
		return r.Header.Get(k.header)
	}
	return k.ip.of(r).String()
}

// of returns the client's number. It is a keyed hash: a client cannot choose to be counted as another, and a long field
// takes no more memory than a short one.
func (k clientKey) of(seed maphash.Seed, r *http.Request) uint64 {
	switch {
	case k.host:
		return maphash.String(seed, strings.ToLower(hostOnly(r.Host)))
	case k.header != "":
		return maphash.String(seed, r.Header.Get(k.header))
	}
	b := k.ip.of(r).As16()
	return maphash.Bytes(seed, b[:])
}
