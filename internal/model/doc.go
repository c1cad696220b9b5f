// Package model holds the nouns that every part of Fairlead shares: services, routes, middlewares, snapshots and
// problems. Providers produce them, the catalog merges them, route compiles them, the link carries them, the API shows
// them.
//
// Values are immutable once published: nobody copies, because nobody writes. An object that did not change keeps its
// pointer from the provider to the table, so that "what changed?" is a comparison of pointers (see [Reuse]).
//
// The package imports the standard library only, and everything of ours may import it. The words are defined in
// docs/GLOSSARY.md.
package model
