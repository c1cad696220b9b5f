package upstream

// Reason says how a host was chosen, or why there is none. It is stable: logs, metrics and the API show it.
type Reason string

// The reasons. The first group comes with a host, the second without.
const (
	OK      Reason = ""        // by the shares, among healthy hosts
	Trial   Reason = "trial"   // the one request that shows whether an ejected host is back
	Standby Reason = "standby" // nothing is known to be healthy: hosts not checked yet, or not back for long
	Panic   Reason = "panic"   // nothing is healthy at all: every host is tried
	Retried Reason = "retried" // a further attempt, outside the shares because those have nothing left to offer

	NoEndpoints Reason = "no_endpoints"        // no endpoint takes new requests
	NoneHealthy Reason = "none_healthy"        // nothing is healthy, and the policy fails closed
	Unreachable Reason = "cluster_unreachable" // the data paths to all clusters that have the service are lost
)
