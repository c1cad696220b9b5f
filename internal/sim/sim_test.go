package sim

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

var (
	oneSeed   = flag.Uint64("sim.seed", 0, "play this seed only; 0: all of them")
	showSteps = flag.Bool("sim.steps", false, "print the steps of every seed")
)

// TestSim plays random faults against the whole system.
func TestSim(t *testing.T) {
	low, high := uint64(1), uint64(100)
	if text := os.Getenv("FAIRLEAD_SIM_SEEDS"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("FAIRLEAD_SIM_SEEDS: %v", err)
		}
		high = n
	}
	if *oneSeed != 0 {
		low, high = *oneSeed, *oneSeed
	}
	for seed := low; seed <= high; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			steps := planOf(seed)
			found := play(t, seed, steps, hooks{})
			if len(found) > 0 || *showSteps {
				t.Log(story(steps, found))
			}
			if len(found) > 0 {
				t.Errorf("play it again with: go test ./internal/sim -run 'TestSim$' -sim.seed=%d", seed)
			}
		})
	}
}

// play takes the steps in a world of their own and returns what did not hold. The world's time ends when all its
// goroutines have: one that is left behind is a panic.
func play(t *testing.T, seed uint64, steps []step, h hooks) (found []violation) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { found = newWorld(seed, h).play(steps) })
	return found
}

// TestSimRepeats proves that a seed decides everything that is published, and when.
func TestSimRepeats(t *testing.T) {
	for seed := uint64(1); seed <= 3; seed++ {
		var traces [2][]string
		for i := range traces {
			synctest.Test(t, func(*testing.T) {
				w := newWorld(seed, hooks{})
				w.play(planOf(seed))
				slices.Sort(w.trace) // when one thing befalls all edges, any may be the first to see it
				traces[i] = w.trace
			})
		}
		if diff := cmp.Diff(traces[0], traces[1]); diff != "" {
			t.Errorf("seed %d, played twice (-first +second):\n%s", seed, diff)
		}
	}
}

// story lists the steps that were taken, and what came of them.
func story(steps []step, found []violation) string {
	var b strings.Builder
	for _, s := range steps {
		if s.taken {
			fmt.Fprintf(&b, "\n%12v  %s", s.at, s)
		}
	}
	for i, v := range found {
		if i == 5 {
			fmt.Fprintf(&b, "\nand %d more", len(found)-5)
			break
		}
		fmt.Fprintf(&b, "\n%s", v)
	}
	return b.String()
}
