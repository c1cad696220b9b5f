// Package instance runs the program for a suite: built from this tree, as a process of its own, on addresses that the
// system chooses. A suite sees what the program's users see: answers, the access log, metrics.
//
//	usual/, the suite's testdata ─ ${NAME} filled in ─▶ a folder ─▶ fairlead serve ─▶ Address, AccessLog, Metric
//
// Where a suite needs a program that is not there, it fails and says how to install it (Need): a suite that is left out
// in silence proves nothing.
package instance
