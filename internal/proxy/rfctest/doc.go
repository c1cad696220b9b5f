// Package rfctest tests what RFC 9110, 9112, 9113 and 9114 ask of a proxy, through the whole proxy and on the wire.
//
//	raw client ─▶ HTTP/1.1, HTTPS, HTTP/2, h2c, HTTP/3 ─▶ proxy ─▶ HTTP/1.1, HTTPS, HTTP/2, h2c ─▶ raw service
//
// Neither client nor service has a parser of the product: they write and read bytes and frames (http1_test.go,
// http2_test.go, http3_test.go). A rule (rules_*_test.go) says in one place what is sent, what the service must see,
// what it answers, and what the client must get; it runs from every front to every back. smuggling_test.go sends what
// two readers might read differently, and counts what came out on the other side.
package rfctest
