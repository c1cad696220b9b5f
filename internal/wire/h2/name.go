package h2

import (
	"net/textproto"
	"strings"
)

// usual returns the two ways to write the name of a usual field: as http.Header has it, and as HTTP/2 has it. Nothing
// is made for it. It takes either.
func usual(name string) (key, lower string) {
	switch name {
	case "accept", "Accept":
		return "Accept", "accept"
	case "accept-encoding", "Accept-Encoding":
		return "Accept-Encoding", "accept-encoding"
	case "accept-language", "Accept-Language":
		return "Accept-Language", "accept-language"
	case "accept-ranges", "Accept-Ranges":
		return "Accept-Ranges", "accept-ranges"
	case "access-control-allow-origin", "Access-Control-Allow-Origin":
		return "Access-Control-Allow-Origin", "access-control-allow-origin"
	case "age", "Age":
		return "Age", "age"
	case "alt-svc", "Alt-Svc":
		return "Alt-Svc", "alt-svc"
	case "authorization", "Authorization":
		return "Authorization", "authorization"
	case "cache-control", "Cache-Control":
		return "Cache-Control", "cache-control"
	case "content-encoding", "Content-Encoding":
		return "Content-Encoding", "content-encoding"
	case "content-length", "Content-Length":
		return "Content-Length", "content-length"
	case "content-security-policy", "Content-Security-Policy":
		return "Content-Security-Policy", "content-security-policy"
	case "content-type", "Content-Type":
		return "Content-Type", "content-type"
	case "cookie", "Cookie":
		return "Cookie", "cookie"
	case "date", "Date":
		return "Date", "date"
	case "etag", "Etag":
		return "Etag", "etag"
	case "expires", "Expires":
		return "Expires", "expires"
	case "forwarded", "Forwarded":
		return "Forwarded", "forwarded"
	case "grpc-encoding", "Grpc-Encoding":
		return "Grpc-Encoding", "grpc-encoding"
	case "grpc-message", "Grpc-Message":
		return "Grpc-Message", "grpc-message"
	case "grpc-status", "Grpc-Status":
		return "Grpc-Status", "grpc-status"
	case "grpc-timeout", "Grpc-Timeout":
		return "Grpc-Timeout", "grpc-timeout"
	}
	return usual2(name)
}

func usual2(name string) (key, lower string) {
	switch name {
	case "if-modified-since", "If-Modified-Since":
		return "If-Modified-Since", "if-modified-since"
	case "if-none-match", "If-None-Match":
		return "If-None-Match", "if-none-match"
	case "last-modified", "Last-Modified":
		return "Last-Modified", "last-modified"
	case "link", "Link":
		return "Link", "link"
	case "location", "Location":
		return "Location", "location"
	case "origin", "Origin":
		return "Origin", "origin"
	case "priority", "Priority":
		return "Priority", "priority"
	case "range", "Range":
		return "Range", "range"
	case "referer", "Referer":
		return "Referer", "referer"
	case "sec-fetch-dest", "Sec-Fetch-Dest":
		return "Sec-Fetch-Dest", "sec-fetch-dest"
	case "sec-fetch-mode", "Sec-Fetch-Mode":
		return "Sec-Fetch-Mode", "sec-fetch-mode"
	case "sec-fetch-site", "Sec-Fetch-Site":
		return "Sec-Fetch-Site", "sec-fetch-site"
	case "server", "Server":
		return "Server", "server"
	case "set-cookie", "Set-Cookie":
		return "Set-Cookie", "set-cookie"
	case "strict-transport-security", "Strict-Transport-Security":
		return "Strict-Transport-Security", "strict-transport-security"
	case "te", "Te":
		return "Te", "te"
	case "traceparent", "Traceparent":
		return "Traceparent", "traceparent"
	case "trailer", "Trailer":
		return "Trailer", "trailer"
	case "user-agent", "User-Agent":
		return "User-Agent", "user-agent"
	case "vary", "Vary":
		return "Vary", "vary"
	case "x-forwarded-for", "X-Forwarded-For":
		return "X-Forwarded-For", "x-forwarded-for"
	case "x-request-id", "X-Request-Id":
		return "X-Request-Id", "x-request-id"
	}
	return "", ""
}

// keyOf returns a field's name as http.Header has it.
func keyOf(lower string) string {
	if key, _ := usual(lower); key != "" {
		return key
	}
	return textproto.CanonicalMIMEHeaderKey(lower)
}

// lowerOf returns a field's name as HTTP/2 has it.
func lowerOf(key string) string {
	if _, lower := usual(key); lower != "" {
		return lower
	}
	return strings.ToLower(key)
}
