// Package nomad is the provider that follows the services that Nomad itself knows (provider = "nomad" in a job), with
// the checks of their allocations. The tags of an instance are its labels.
//
//	/v1/event/stream ─ names ─▶ /v1/service/NAME ─┬▶ dynamic.Workloads ─▶ publish
//	/v1/client/allocation/ID/checks ──────────────┘
//
// An event says which service is to be read again, and from which index on; what it says of the service itself is not
// believed, so nothing depends on having heard every event. What must hold:
//
//   - The stream is open before anything is read, and a stream that ends or falls silent ends the run: nothing that
//     happens between two runs is missed, since each reads everything anew.
//   - Nothing is published before every service that there is has been read, and the checks of its allocations have
//     been asked for.
//   - An allocation whose checks have not passed yet, or fail, has no endpoint; its routes stay, as long as it is
//     registered. Checks that cannot be read, or that begin again with their Nomad client, say nothing: what was known
//     of them counts, over runs.
package nomad
