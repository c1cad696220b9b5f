// Package document reads a YAML, TOML or JSON file into one kind of tree, with the position of every value, and decodes
// the tree strictly into Go structs.
//
//	bytes ─ Parse ─▶ *Node (text, file:line) ─ Decode ─▶ struct
//	          │                                  │
//	          └ *SyntaxError (the first one)     └ []Mistake (all of them)
//
// What must hold:
//
//   - The same content in any of the formats decodes to the same struct.
//   - Decode reports every mistake at once and still fills in everything else.
//   - No input makes it panic, recurse without end or grow without bound: size, depth and the expansion of YAML aliases
//     are limited.
package document
