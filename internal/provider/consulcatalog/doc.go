// Package consulcatalog is the provider that follows the services that Consul knows, with their health. The tags of an
// instance are its labels.
//
//	/v1/catalog/services ─ names ─▶ one watch a service: /v1/health/service/NAME ─▶ dynamic.Workloads ─▶ publish
//
// Every question is a blocking query: Consul holds the answer back until something changes. What must hold:
//
//   - Nothing is published before every service that there is has been read. Consul's answers about two services share
//     no moment, so of a change of both, one may be published before the other.
//   - An instance whose checks do not pass has no endpoint from the moment that Consul tells it; its routes stay, as
//     long as it is registered. One in maintenance drains.
//   - A check that has not run since its agent was started says nothing: what was known of the instance counts.
//   - One question that cannot be answered ends the run: the last snapshot is kept, and all is asked anew.
package consulcatalog
