// Package storetest is the contract of a store as a test. Every store passes [Run]; what only one of them promises (a
// file's mode, a lock) is tested beside it.
//
//	func TestContract(t *testing.T) { storetest.Run(t, open) }
//
// It must be able to fail: each case writes down one sentence of the doc comments in package store.
package storetest
