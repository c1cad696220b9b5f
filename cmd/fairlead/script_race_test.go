//go:build race

package main

// slower is by how much the race detector slows the program down, roughly. Loads are as much lighter.
const slower = 5
