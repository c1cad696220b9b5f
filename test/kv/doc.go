// Package kv runs an instance that learns its routes from real key-value stores, which are changed, stopped and started
// while it serves: open ones, ones that ask for passwords by TLS and allow the least, and a Redis whose sentinels make
// another server the master.
package kv
