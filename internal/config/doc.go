// Package config reads the instance's own file: entry points, providers, the link, the clusters to follow, the store
// and the API. (Routes and services are not in it: they come from providers.)
//
//	file ─ document.Parse ─▶ tree ─ document.Decode, one part at a time, over its defaults ─▶ Config ─ check ─▶ Config
//	                                        └────────────── every mistake, with its line ──────────┴──▶ Errors
//
// What must hold:
//
//   - The file is the operator's, so it is read strictly: an unknown key is a mistake, and any mistake stops the start.
//   - Every mistake is told at once, each as "file:line: field: message".
//   - No secret stands in the file, and none in a message: a key is named by the file or the variable that holds it.
//   - Names are Traefik's where they mean the same. A part of Traefik's static configuration that is not served yet
//     is a mistake that says so.
//   - Paths in the file are relative to its folder. In a Config they are absolute.
//   - Load fills in every default, so that a zero in a Config means what its field says, and never "not given".
package config
