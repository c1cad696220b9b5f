// Package provider says what a source of routes and services is, and keeps one running. The sources themselves are in
// the folders below, one each (provider/file, …); a followed cluster (package link) is one more.
//
//	place ──events──▶ Provider.Run ──complete Snapshot──▶ Run ──sorted, numbered, pointers kept──▶ Sink (the catalog)
//	                      │ error, panic                   │
//	                      └────────────────────────────────┴── Fail: the last one is kept, as stale; back off
//
// # Principles
//
// A provider knows one place and says what is there. It decides nothing: not whether a route is good, not which of two
// wins, not where a request goes. What holds for every provider:
//
//   - Complete snapshots. Each publish is everything that the place holds now, never a difference and never a part. Who
//     reads it needs no history, and a publish that was lost is made good by the next.
//   - Stale beats partial. A place that cannot be read in full yields no publish but an error. Its last snapshot is
//     served until it can be read again: an orchestrator that is being upgraded must not take the routes of its
//     services away. What was read in half is as good as unread.
//   - Empty is honoured. An empty snapshot means "nothing is there", and the last route is taken away. A provider
//     that is not sure of it returns an error instead.
//   - Event-driven. A change is published when it happens, because it is waited for: a route must answer in tens of
//     milliseconds. A burst of events becomes one publish; the wait that this takes is short and capped. Where events
//     can be lost, a slow and complete look at the place makes it good.
//   - Bad objects are their owners' mistakes. An object that cannot be understood becomes a [model.Problem] that says
//     where and what to do, and everything else is published.
//   - Published means immutable. Neither the objects of a published snapshot nor its slices are changed ever after. An
//     object that did not change is best published by the same pointer; where it is built anew, Run compares.
//   - Snapshots carry no secrets but as [model.Secret].
//   - Fail in the open. A provider retries nothing that matters: it returns what went wrong, and Run reports it,
//     waits and starts it again. What it wants to remember between two runs stays in the provider.
//
// Package providertest is these principles as a test that every provider passes.
package provider
