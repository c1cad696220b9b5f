package main

import (
	"crypto/tls"
	"log/slog"
	"strings"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/provider"
	"github.com/fairlead/fairlead/internal/provider/docker"
	"github.com/fairlead/fairlead/internal/provider/engine"
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

// engineOf returns how an engine is asked.
func engineOf(c config.Engine) (engine.Engine, error) {
	t, err := clientTLS(c.TLS)
	if err != nil {
		return engine.Engine{}, err
	}
	if t == nil && strings.HasPrefix(c.Endpoint, "https:") {
		t = &tls.Config{}
	}
	password, err := secretOf(c.Password)
	if err != nil {
		return engine.Engine{}, err
	}
	e := engine.Engine{
		Endpoint: c.Endpoint, TLS: t, Username: c.Username, Password: password, Timeout: c.HTTPClientTimeout,
	}
	if c.SSH != nil {
		e.SSH = &engine.SSH{IdentityFile: c.SSH.IdentityFile, KnownHostsFile: c.SSH.KnownHostsFile}
	}
	return e, nil
}

func workloadOptions(c config.Labels) dynamic.WorkloadOptions {
	return dynamic.WorkloadOptions{
		ExposedByDefault: c.ExposedByDefault, DefaultRule: c.DefaultRule, Constraints: c.Constraints,
		Prefixes: c.LabelPrefixes,
	}
}
