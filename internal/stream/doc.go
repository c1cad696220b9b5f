// Package stream carries bytes that are not HTTP.
//
//	Sniff      what a connection begins with: TLS (for which name, with which protocols), PostgreSQL's request for TLS,
//	           or anything else; nothing of it is lost
//	Pump       copies both ways until both sides have ended; a side that only stops sending is still sent to
//	Datagrams  datagrams over a connection, each behind its length
//
// It knows nothing of routes and services. What strangers send is bounded in size and time, and is parsed by crypto/tls
// where it is TLS.
package stream
