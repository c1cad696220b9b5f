package config

import (
	"slices"
	"strings"
)

// traefiks are keys of Traefik v3's static configuration that are not supported yet: each is a mistake that says so, so
// that nobody relies on it and nobody looks for a slip of the pen.
var traefiks = []string{
	// outermost
	"certificatesResolvers", "core", "experimental", "global", "hostResolver", "ocsp", "ping", "serversTransport",
	"tcpServersTransport",
	// entry points
	"allowACMEByPass", "encodedCharacters", "http", "keepAliveMaxRequests", "keepAliveMaxTime",
	"addXForwardedSchemeHeaders", "connection", "maxDecoderHeaderTableSize", "maxEncoderHeaderTableSize",
	"notAppendXForwardedFor", "reusePort",
	// providers.consulCatalog
	"cache", "connectAware", "connectByDefault", "endpointWaitTime", "refreshInterval", "serviceName", "watch",
	// providers.nomad
	"throttleDuration",
	// providers.http
	"maxResponseBodySize",
	// providers.redis.sentinel
	"latencyStrategy", "randomStrategy", "replicaStrategy", "useDisconnectedReplicas",
	// providers.file
	"debugLogGeneratedTemplate",
	// api
	"basePath", "dashboard", "dashboardName", "debug", "disableDashboardAd", "insecure",
	// tracing
	"globalAttributes",
	// log, accessLog
	"addInternals", "bufferingSize", "compress", "dualOutput", "fields", "filePath",
	"filters", "maxAge", "maxBackups", "maxSize",
	"noColor", "otlp",
	// metrics
	"addEntryPointsLabels", "addRoutersLabels", "addServicesLabels", "buckets", "datadog", "entryPoint", "headerLabels",
	"influxDB2", "manualRouting", "statsD",
}

// traefikProviders are the keys under providers that Traefik has and that are not supported yet.
var traefikProviders = []string{
	"ecs", "knative", "kubernetesCRD", "kubernetesGateway",
	"kubernetesIngress", "kubernetesIngressNGINX", "plugin", "precedence",
	"providersThrottleDuration", "rest",
}

func isTraefiks(name string) bool { return contains(traefiks, name) }

// contains looks for a key; letter case does not count in keys.
func contains(known []string, name string) bool {
	return slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) })
}

func lastKey(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }
