//go:build !linux

package wire

import "time"

// lot parks nobody here: connections wait in goroutines.
type lot struct{}

type berth struct{}

func (*lot) add(*conn, time.Duration) bool { return false }

func (*lot) close() {}
