package main

import (
	"crypto/tls"
	"log/slog"
	"strings"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/provider"
	"github.com/fairlead/fairlead/internal/provider/docker"
)

// newDocker makes what follows the containers of an engine.
func newDocker(c config.Docker, log *slog.Logger) (provider.Provider, error) {
	engine, err := engineOf(c.Engine)
	if err != nil {
		return nil, err
	}
	return docker.New(docker.Config{
		Source: c.Source(), Engine: engine, Network: c.Network, UseBindPortIP: c.UseBindPortIP,
		DropEmpty: !c.AllowEmptyServices, Once: !c.Watch, Options: workloadOptions(c.Labels),
	}, log)
}

func engineOf(c config.Engine) (docker.Engine, error) {
	t, err := clientTLS(c.TLS)
	if err != nil {
		return docker.Engine{}, err
	}
	if t == nil && strings.HasPrefix(c.Endpoint, "https:") {
		t = &tls.Config{}
	}
	password := func() (string, error) { return secret(c.Password) }
	if _, err := password(); err != nil {
		return docker.Engine{}, err
	}
	return docker.Engine{
		Endpoint: c.Endpoint, TLS: t, Username: c.Username, Password: password, Timeout: c.HTTPClientTimeout,
	}, nil
}

func workloadOptions(c config.Labels) dynamic.WorkloadOptions {
	return dynamic.WorkloadOptions{
		ExposedByDefault: c.ExposedByDefault, DefaultRule: c.DefaultRule, Constraints: c.Constraints,
		Prefixes: c.LabelPrefixes,
	}
}
