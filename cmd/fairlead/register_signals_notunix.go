//go:build !unix

package main

import "os"

// passedOn are the signals that a registered program gets as they come: none here.
func passedOn() []os.Signal { return nil }
