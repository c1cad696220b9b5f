package cache

import (
	"net"
	"net/http"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// key is what an answer belongs to.
type key struct {
	host string // without its port
	// uri is what is invalidated and purged: the host without its port, path and query.
	uri string
	// variant is everything else that a service may see of where the request goes, as it came: another spelling gets
	// another answer.
	variant string
}

// forwardedFields are the fields of proxies in front, and of our own middlewares, that services make addresses of.
// Those of strangers are removed long before.
var forwardedFields = [...]string{
	"X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Replaced-Path",
}

func keyOf(r *http.Request, route string) key {
	path := r.URL.EscapedPath()
	var uri, variant strings.Builder
	host := strings.ToLower(withoutPort(r.Host))
	uri.WriteString(host)
	uri.WriteString(path)
	if r.URL.ForceQuery || r.URL.RawQuery != "" {
		uri.WriteByte('?')
		uri.WriteString(r.URL.RawQuery)
	}
	variant.WriteString(route)
	variant.WriteByte('\n')
	variant.WriteString(r.Host)
	for _, name := range forwardedFields {
		variant.WriteByte('\n')
		for _, v := range r.Header[name] {
			variant.WriteString(v)
			variant.WriteByte(',')
		}
	}
	for _, v := range r.Header["Forwarded"] {
		writeTarget(&variant, v)
	}
	return key{host, uri.String(), variant.String()}
}

func withoutPort(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

// writeTarget writes what Forwarded says (RFC 7239) but for who sends and forwards the request: they differ, and
// answers do not.
func writeTarget(b *strings.Builder, forwarded string) {
	for element := range strings.SplitSeq(forwarded, ",") {
		for pair := range strings.SplitSeq(element, ";") {
			name, _, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if name = strings.ToLower(name); name != "for" && name != "by" {
				b.WriteByte('\n')
				b.WriteString(pair)
			}
		}
	}
}

// unkeyedFields change what frameworks answer, and are nobody's but an attacker's or a debugger's: where they come
// from, a link, a redirect or an error for others is made ("Practical Web Cache Poisoning", PortSwigger 2018;
// CVE-2018-14773: X-Original-URL, X-Rewrite-URL; CPDoS 2019: X-HTTP-Method-Override).
var unkeyedFields = [...]string{
	"X-Original-Url", "X-Rewrite-Url", "X-Original-Host", "X-Host", "X-Http-Host-Override", "X-Forwarded-Scheme",
	"X-Forwarded-Path", "X-Forwarded-Ssl", "X-Url-Scheme", "X-Http-Method", "X-Http-Method-Override", "X-Method-Override",
	"X-Http-Path-Override", "Front-End-Https", "X-Middleware-Prefetch", "X-Middleware-Subrequest",
}

// unkeyed reports whether a request has something that services may look at and that is no part of the key, or asks for
// something that a cache cannot decide: it passes the cache by.
func unkeyed(r *http.Request) bool {
	if r.ContentLength != 0 { // a fat GET ("Web Cache Entanglement", 2020): RFC 9110 §9.3.1
		return true
	}
	for _, name := range unkeyedFields {
		if r.Header[name] != nil {
			return true
		}
	}
	for name := range r.Header {
		if read := model.CGIField(name); read != name && isKeyed(read) {
			return true
		}
	}
	return r.Header["If-Match"] != nil || r.Header["If-Unmodified-Since"] != nil // for the service only: RFC 9111 §4.3.2
}

func isKeyed(name string) bool {
	for _, list := range [...][]string{forwardedFields[:], unkeyedFields[:]} {
		for _, known := range list {
			if name == known {
				return true
			}
		}
	}
	return false
}
