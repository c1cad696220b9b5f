package config

import (
	"testing"
	"time"
)

func TestSwarm(t *testing.T) {
	providers(t, []providerCase{
		{"swarm", `{}`, Swarm{
			Name: "main", Endpoints: []string{"unix:///var/run/docker.sock"}, Labels: defaultLabels(),
			AllowEmptyServices: true, Refresh: 15 * time.Second,
			Engine: Engine{HTTPClientTimeout: 30 * time.Second, Watch: true},
		}},
		{"swarm", `{name: b, endpoints: ["https://a.example:9470", "https://b.example:9470"], tls: {ca: ca.pem},
			token: "file:token", useBindPortIP: true, allowEmptyServices: false, refreshSeconds: 5}`, Swarm{
			Name: "b", Endpoints: []string{"https://a.example:9470", "https://b.example:9470"}, UseBindPortIP: true,
			Token: KeyRef{File: "/etc/token"}, Refresh: 5 * time.Second, Labels: defaultLabels(),
			Engine: Engine{
				TLS: &ClientTLS{CA: "/etc/ca.pem"}, HTTPClientTimeout: 30 * time.Second, Watch: true,
			},
		}},
	})
}
