// Package tidy holds the rules of the house as tests, so that `go test ./...` is enough to know that they are kept.
//
//	the tree ─ parse ─▶ files by folder ─ rules ─▶ findings: file:line: rule: what, and why it matters
//
// The rules read source, not types: they are fast, and they work on a tree that does not compile. Which package may
// import which is one table, in imports_test.go; the depguard part of .golangci.yml is written from it
// (`go test ./internal/tidy -update`), so that an editor says the same.
//
// Every rule has a text file in testdata: a small tree that breaks it, and what must be found there.
package tidy
