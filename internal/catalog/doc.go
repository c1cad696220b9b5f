// Package catalog holds the latest snapshot of every source and merges them into one.
//
//	provider A ─ Set ─▶ ┌─────────┐
//	provider B ─ Set ─▶ │ Catalog │ ─ Watch ─▶ proxy, api, link
//	provider B ─ Fail ▶ └─────────┘   one merged snapshot, newest wins
//
// Merging is pure ([Merge]): the same snapshots give the same bytes in whichever order they arrived. Objects of
// different sources stay apart, but for one case: the services of followed clusters. Those are known by fleet-wide
// names, and the same name in several clusters is one service, with endpoints in each; it is merged under the source
// "link".
//
// A change costs what changed, not what is there: a [Catalog] patches the merged snapshot it had (update.go), and a
// test holds that against Merge. A source that fails keeps its last snapshot, with a Problem that says since when it is
// stale.
package catalog
