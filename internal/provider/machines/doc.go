// Package machines is the provider whose place is the instance itself: programs on machines that no orchestrator
// watches register the services that they serve, each with a lease.
//
//	PUT (package api) ──▶ Register ──▶ store ──▶ live ──▶ Run ──▶ Snapshot
//	DELETE ─────────────▶ Deregister ─────────▲   │
//	                                              └── a lease that ends takes its registration away
//
// A registration is known by its service and address. To renew it is to register it again, so nobody need know whether
// the instance still has it: after the loss of everything, all are back within a third of a lease.
//
// What must hold:
//
//   - What was registered is there after a restart, for one whole lease from then on: an instance that was down is no
//     reason to lose services that were not.
//   - A renewal that changes nothing writes nothing to the disk.
//   - Losing the store stops what is new, never renewals.
//   - What labels say is said once for all instances of a service.
package machines
