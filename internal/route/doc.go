// Package route decides which route serves a request.
//
//	Snapshot ──▶ Compile ──▶ Table ──▶ Match(request)   ──▶ Rule, or none
//	             Recompile     │  └──▶ Explain(request) ──▶ the rule, and for the others why not
//	                           └──▶ Rules, Problems
//
// A Table is immutable and safe for use by many goroutines. Inside it are
//
//	index    host ▶ path ▶ candidates: finds the few routes that a request may be for (index.go, hosts.go, tree.go)
//	rules    by slot: where such a route leads (rule.go)
//	entries  by slot: what is known of each route besides: its references, what is wrong with it (table.go)
//	uses     which slots refer to a service or middleware of a name (postings.go)
//	claims   which slots ask for the very same requests (postings.go, conflict.go)
//
// A candidate is the matching half of a route: it depends on the route and the order of the sources alone. A rule is
// the other half: the services and middlewares that the route names. So a change of a service swaps one rule in its
// slot and leaves the index alone, and a change of a route leaves all the others alone.
//
// From a route's tree of tests, cover.go derives keys (host and path) such that every request the tree accepts falls
// under one of them, and the residual: what is still to be tested of a request that does. Most routes have no residual.
// Candidates of one request come from several places of the index. They are compared by the total order, which is
// written on [Compile], so the first of all wins, not the most specific place.
//
// What must hold: Match chooses what sorting all served routes by the order, and taking the first that accepts the
// request, would choose (FuzzMatch). Recompile gives what Compile gives, except for the numbers of the slots
// (TestRecompile). Match allocates nothing. Explain evaluates with the code that Match evaluates with.
package route
