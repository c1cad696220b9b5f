// Package telemetry counts and writes down what an instance does: metrics for Prometheus, and the access log.
//
//	proxy ── Exchange ──┬──▶ Metrics.Served ──▶ Registry ──▶ Handler (GET /metrics)
//	                    └──▶ AccessLog.Served ──▶ buffer ──▶ Run ──▶ file or standard output
//
// What must hold:
//
//   - Nothing here may slow a request down: the calls that a request makes allocate nothing once its labels are known,
//     and wait for no disk. When the log cannot be written as fast as requests come, lines are dropped and counted.
//   - An Exchange is read before the call returns, and not kept.
//   - Labels come from the configuration, never from a client: not the path, the host, the method, the address. What is
//     left is bounded by maxSeries; what comes above that is counted under the label "other".
//   - The log holds no credentials: paths are written without the query, and fields not at all. What a client sends is
//     escaped, so it can neither begin a line of its own nor control a terminal.
//
// The fields of the access log are described at [JSON] and [Common].
package telemetry
