// Package engine is what the providers of what runs on Docker engines have in common: where an engine is, how it is
// asked, and what its events mean.
package engine
