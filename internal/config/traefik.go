package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

// traefiks are keys of Traefik v3's static configuration that are not supported yet: each is a mistake that says so, so
// that nobody relies on it and nobody looks for a slip of the pen.
var traefiks = []string{
	// outermost
	"certificatesResolvers", "experimental", "global", "hostResolver", "ocsp", "ping", "serversTransport",
	"tcpServersTransport",
	// experimental
	"abortOnPluginFailure", "knative", "kubernetesGateway", "kubernetesIngressNGINX", "localPlugins",
	"plugins",
	// entry points
	"allowACMEByPass", "encodedCharacters", "http", "keepAliveMaxRequests", "keepAliveMaxTime",
	"addXForwardedSchemeHeaders", "connection", "notAppendXForwardedFor", "reusePort",
	// api
	"basePath", "dashboard", "debug", "insecure",
	// tracing
	"globalAttributes",
	// log, accessLog
	"addInternals", "dualOutput", "fields", "filePath", "filters", "otlp",
	// metrics
	"addEntryPointsLabels", "addRoutersLabels", "addServicesLabels", "buckets", "datadog", "entryPoint", "headerLabels",
	"influxDB2", "manualRouting", "statsD",
}

// traefikProviders are the keys under providers that Traefik has and that are not supported yet.
var traefikProviders = []string{
	"ecs", "knative", "kubernetesCRD", "kubernetesGateway",
	"kubernetesIngress", "kubernetesIngressNGINX", "plugin", "precedence", "rest",
}

// Why a key of Traefik's is not needed.
const (
	followed   = "changes are heard as they happen"
	gathered   = "changes are heard as they happen, and those that come together are served together"
	unbuffered = "each line is written at once"
	heldBack   = "how long an answer may be held back changes nothing, since it comes with the first change"
	askMaster  = "the master is asked, which has what its replicas will have"
	errorsLog  = "the log is lines on standard error; whoever keeps them divides them"
	quietly    = "nothing is told to anybody, and nobody is asked for new versions"
	advert     = "there is no such page"
	tableSize  = "tables of header fields have the size that RFC 7541 begins with, 4096 bytes"
)

// needless are keys of Traefik v3's static configuration without which everything is as those who wrote them rely on:
// they are problems that say so, and stop nothing. What would be open, or led elsewhere, without its key is not here.
var needless = map[string]string{
	"accessLog.bufferingSize":                           unbuffered,
	"api.dashboardName":                                 advert,
	"api.disableDashboardAd":                            advert,
	"entryPoints.NAME.http2.maxDecoderHeaderTableSize":  tableSize,
	"entryPoints.NAME.http2.maxEncoderHeaderTableSize":  tableSize,
	"experimental.fastProxy":                            "it is fast for all requests",
	"global.checkNewVersion":                            quietly,
	"global.sendAnonymousUsage":                         quietly,
	"log.compress":                                      errorsLog,
	"log.maxAge":                                        errorsLog,
	"log.maxBackups":                                    errorsLog,
	"log.maxSize":                                       errorsLog,
	"log.noColor":                                       "the log has no colours",
	"providers.consulCatalog.cache":                     followed + ", so that nothing is asked for twice",
	"providers.consulCatalog.endpoint.endpointWaitTime": heldBack,
	"providers.consulCatalog.refreshInterval":           followed,
	"providers.consulCatalog.watch":                     followed,
	"providers.file.debugLogGeneratedTemplate":          "no templates are in files",
	"providers.nomad.endpoint.endpointWaitTime":         heldBack,
	"providers.nomad.refreshInterval":                   followed,
	"providers.nomad.throttleDuration":                  gathered,
	"providers.nomad.watch":                             followed,
	"providers.providersThrottleDuration":               gathered,
	"providers.redis.sentinel.latencyStrategy":          askMaster,
	"providers.redis.sentinel.randomStrategy":           askMaster,
	"providers.redis.sentinel.replicaStrategy":          askMaster,
	"providers.redis.sentinel.useDisconnectedReplicas":  askMaster,
}

// numbered and named are what paths have that differs from file to file.
var (
	numbered = regexp.MustCompile(`\[\d+\]`)
	named    = regexp.MustCompile(`(?i)^(entryPoints)\..+\.(\w+\.\w+)$`)
)

// unneeded returns why a key at a path is not needed, and whether keys that are not are below it.
func unneeded(path string) (why string, below bool) {
	path = named.ReplaceAllString(numbered.ReplaceAllString(path, ""), "$1.NAME.$2")
	for key, reason := range needless {
		if strings.EqualFold(key, path) {
			return reason, false
		}
		below = below || len(key) > len(path) && strings.EqualFold(key[:len(path)+1], path+".")
	}
	return "", below
}

// unknown reports a key that no field takes: as a problem where it is one of Traefik's that is not needed, and as a
// mistake otherwise. Of a section that has both, each key is told.
func (l *loader) unknown(m document.Mistake) {
	name := lastKey(m.Field)
	why, below := unneeded(m.Field)
	switch {
	case why != "":
		l.problems = append(l.problems, model.Problem{
			Object: model.Object{Kind: model.KindInstance}, Field: m.Field, Code: model.NotNeeded,
			Message: fmt.Sprintf("%q is not needed: %s; remove it", name, why), At: m.At.String(),
		})
		return
	case below && m.Value != nil && m.Value.Kind == document.Map:
		for _, f := range m.Value.Fields {
			message := fmt.Sprintf("unknown field %q", shorten(f.Name))
			l.unknown(document.Mistake{At: f.At, Field: m.Field + "." + f.Name, Value: f.Value, Message: message})
		}
		return
	case contains(traefiks, name):
		m.Message = fmt.Sprintf("%q is not supported yet; remove it", name)
	}
	l.mistakes = append(l.mistakes, m)
}

// contains looks for a key; letter case does not count in keys.
func contains(known []string, name string) bool {
	return slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) })
}

func lastKey(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }
