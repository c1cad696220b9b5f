package proxy

import (
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// isFinal counts the proxies that OPTIONS and TRACE may still pass, and answers where we are the last of them
// (RFC 9110 §7.6.2). For all other methods the field means nothing.
func isFinal(x *exchange, r *http.Request) bool {
	limit, said := r.Header["Max-Forwards"]
	if !said || r.Method != http.MethodOptions && r.Method != http.MethodTrace {
		return false
	}
	if len(limit) > 1 || limit[0] == "" || strings.Trim(limit[0], "0123456789") != "" {
		x.refuse(http.StatusBadRequest, reasonBadRequest)
		return true
	}
	left, err := strconv.ParseUint(limit[0], 10, 31)
	if err != nil { // digits, so it is out of range
		left = math.MaxInt32
	}
	if left > 0 {
		r.Header["Max-Forwards"] = []string{strconv.FormatUint(left-1, 10)}
		return false
	}
	if r.Method == http.MethodTrace {
		trace(x, r)
	} else {
		options(x)
	}
	return true
}

// traced are the fields that TRACE shows: those that proxies make. All others may be secret (RFC 9110 §9.3.8).
var traced = []string{"Max-Forwards", "Via"}

// trace shows how a request arrived here.
func trace(x *exchange, r *http.Request) {
	var message strings.Builder
	message.WriteString(r.Method + " " + r.URL.RequestURI() + " " + r.Proto + "\r\nHost: " + r.Host + "\r\n")
	for _, name := range traced {
		for _, value := range r.Header[name] {
			message.WriteString(name + ": " + value + "\r\n")
		}
	}
	message.WriteString("\r\n")
	x.Header().Set("Content-Type", "message/http")
	x.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(x, message.String())
}

// options says that a proxy is here, and nothing of what is behind it.
func options(x *exchange) {
	x.Header().Set("Content-Length", "0")
	x.WriteHeader(http.StatusOK)
}

// asksServer reports whether OPTIONS is about the server, not one of its resources: the target is *, or what becomes
// of it where the request is meant for a proxy (RFC 9112 §3.2.4).
func asksServer(r *http.Request) bool {
	u := r.URL
	return r.Method == http.MethodOptions && (u.Path == "*" || u.Host != "" && u.Path == "" && u.RawQuery == "" &&
		!u.ForceQuery)
}

// expects is whether a request expects what nobody here knows (RFC 9110 §10.1.1).
func expectsUnknown(h http.Header) bool {
	return slices.ContainsFunc(h["Expect"], func(value string) bool { return !strings.EqualFold(value, "100-continue") })
}

// forgetExpectation removes an expectation that says nothing: of HTTP/1.0, or where no content follows.
func forgetExpectation(r *http.Request) {
	if len(r.Header["Expect"]) > 0 && (!r.ProtoAtLeast(1, 1) || r.ContentLength == 0) {
		delete(r.Header, "Expect")
	}
}
