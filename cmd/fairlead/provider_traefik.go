package main

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/link"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider"
	"github.com/fairlead/fairlead/internal/provider/traefik"
)

// newTraefik makes what follows a Traefik.
func newTraefik(c config.Traefik, log *slog.Logger) (provider.Provider, error) {
	tls, err := clientTLS(c.TLS)
	if err != nil {
		return nil, err
	}
	header := func() (http.Header, error) { return traefikHeader(c) }
	if _, err := header(); err != nil {
		return nil, err
	}
	o := traefik.Config{
		Source: c.Source(), URLs: c.URLs(), Header: header, TLS: tls, Timeout: c.PollTimeout, Interval: c.PollInterval,
		Settle:      10 * time.Second, // a Traefik tells itself at most every 2 s, by default
		EntryPoints: c.EntryPoints, Bound: boundBy(grantOf(c.Grant)),
	}
	if t := c.EntryPointTLS; t != nil {
		o.Trust = traefik.Trust{ServerName: t.ServerName, Insecure: t.InsecureSkipVerify}
		if t.CA != "" {
			text, err := os.ReadFile(t.CA)
			if err != nil {
				return nil, fmt.Errorf("reading whom to trust at its entry points: %w", err)
			}
			o.Trust.CA = string(text)
		}
	}
	return traefik.New(o, log), nil
}

// grantOf returns what a followed cluster may claim.
func grantOf(g config.Grant) link.Grant {
	return link.Grant{
		Hosts: texts(g.Hosts), Paths: g.Paths, EntryPoints: g.EntryPoints, TCP: g.TCP, UDP: g.UDP,
		Services: texts(g.Services),
	}
}

// boundBy returns what a grant leaves of routes that come over no link.
func boundBy(g link.Grant) func(*model.Route, string) ([]string, model.Match, error) {
	return func(r *model.Route, service string) ([]string, model.Match, error) {
		return g.Bound(link.Route{Lane: r.Lane, Service: service, Match: r.Match, TLS: r.TLS})
	}
}

// traefikHeader returns what is sent with each request to the API, with the secrets as they are now.
func traefikHeader(c config.Traefik) (http.Header, error) {
	header, err := headerOf(c.Headers, c.SecretHeaders)
	if err != nil || c.Username == "" {
		return header, err
	}
	password, err := secret(c.Password)
	if err != nil {
		return nil, err
	}
	header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.Username+":"+password)))
	return header, nil
}
