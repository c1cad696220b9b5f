// Package store keeps what must survive a restart: keys, the instance's own CA, claims, migrations. It is a flat table
// of items; each write gives its item the next version of the store, so that two writers who read the same item cannot
// both win.
//
//	Put(key, value, ifVersion) ──▶ one transaction ──▶ fsync ──▶ acknowledged ──▶ watchers of the key's prefix
//	                                    │
//	                               file (bbolt) ──▶ Get, List
//
// What must hold:
//
//   - What was acknowledged is there after a crash at any later moment.
//   - Versions only grow: an item that is deleted and made again never has an old version again.
//   - Every record carries a checksum. A damaged file is told apart from an empty one, and stops the start.
//   - A watcher that does not read delays nobody, and costs at most one entry for each key.
//
// The package declares no interface: a consumer names the one or two methods that it needs. Package storetest is the
// contract as a test, for every store that comes after this one.
package store
