// Package breath lets requests go on while a change of the configuration is made.
//
// A change is computed on the processors that serve. Where there is but one (GOMAXPROCS=1), all requests wait for it: a
// goroutine that computes is interrupted after 10 ms at the earliest, and one that only yields (runtime.Gosched) goes
// on before the scheduler has asked what came over the network. One that sleeps, however briefly, makes it ask. So who
// makes a change takes a breath between its steps, each of which is to take a millisecond or two at most.
package breath

import (
	"runtime"
	"time"
)

// long is enough for the requests that have come to be sent on, and for some of their answers.
const long = 200 * time.Microsecond

// Take lets others go on. Where there are several processors, they do anyway, and it does nothing.
func Take() {
	if runtime.GOMAXPROCS(0) == 1 {
		time.Sleep(long)
	}
}
