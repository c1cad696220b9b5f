//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: it pins processes and reads /proc, as only Linux has them")
	os.Exit(1)
}
