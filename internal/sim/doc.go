// Package sim runs three edges and five clusters in one process, on virtual time, and does to them what happens to
// machines and networks. After every step it asks whether what must always hold still does. It is all tests.
//
//	seed ─ plan ─▶ steps ─ play ─▶ world ────────────────────────────────────────▶ observers ─▶ checks
//	script ─ parse ─┘               │                                                 ▲
//	                                │  cluster: orchestrator ─▶ catalog ─▶ Exporter   │ every publish,
//	                                │                                        │        │ every table,
//	                                │  network: cables that are cut, stall,  │        │ every byte on the wire
//	                                │           and deliver late             ▼        │
//	                                └─ edge: 5 × Follower ─▶ catalog ─▶ Recompile ─▶ pools
//	                                         disk: outlives the edge, and is spoilt at times
//
// A step is a line of words (steps_test.go says which there are). A seed stands for a list of steps, for the delay of
// each packet and for the pauses between attempts to connect, so that it can be played again:
//
//	go test ./internal/sim -run 'TestSim$' -sim.seed=17 -sim.steps
//
// FAIRLEAD_SIM_SEEDS says how many seeds are played; without it, 100. Texts in testdata are scenarios written by hand.
//
// What must hold is in files called check_*_test.go, one small function each. It is found out in three ways: on every
// publish (observer_test.go), on every step, and at the end, when all faults are mended and everybody must agree within
// a minute. The expected answers come from twins that are simple and share no code with what they judge.
//
// TestSabotage proves that the checks can fail: it breaks the system in many small ways, and each must be found.
package sim
