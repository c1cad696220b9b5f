// Package telemetry counts and writes down what an instance does: metrics for Prometheus, the access log, and traces
// for OpenTelemetry.
//
//	proxy ── Exchange ──┬──▶ Metrics.Served ──▶ Registry ──▶ Handler (GET /metrics)
//	                    ├──▶ AccessLog.Served ──▶ buffer ──▶ Run ──▶ file or standard output
//	                    └──▶ Traces.Served ──▶ spans ──▶ Run ──▶ collector
//
// A traced exchange has its place in a trace before it is served ([Traces.Begin]), so that those whom it asks know it.
// The spans are made of it afterwards: by hand, in the form in which OTLP sends them, since OpenTelemetry's SDK makes
// spans while the request waits, and does not say which of them it drops.
//
// What must hold:
//
//   - Nothing here may slow a request down: the calls that it makes wait for no disk and no collector, and those for
//     metrics and log allocate nothing once labels are known. What cannot be written as fast as requests come is
//     dropped and counted.
//   - An Exchange is read before the call returns, and not kept.
//   - Labels come from the configuration, never from a client: not the path, the host, the method, the address. What is
//     left is bounded by maxSeries; what comes above that is counted under the label "other".
//   - The log holds no credentials: paths are written without the query, and fields not at all. What a client sends is
//     escaped, so it can neither begin a line of its own nor control a terminal.
//
// The fields of the access log are described at [JSON] and [Common].
package telemetry
