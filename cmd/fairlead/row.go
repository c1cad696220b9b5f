package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/api"
)

// What the tables say of each kind of objects, column by column.

func routeRow(r api.Route, _ time.Time) []string {
	status := "ok"
	if len(r.Problems) > 0 {
		status = strings.Join(r.Problems, ",")
	}
	if !r.Served {
		status = "not served: " + status
	}
	return []string{
		r.Name, r.Source, r.Lane, status, strconv.Itoa(r.Priority), strings.Join(r.EntryPoints, ","),
		weights(r.Backends), r.ExportedAs, cmp.Or(r.Rule, "every request"),
	}
}

func serviceRow(s api.Service, now time.Time) []string {
	status := cmp.Or(s.Reason, "ok")
	if !s.Used {
		status = "unused"
	}
	usable := 0
	for _, e := range s.Endpoints {
		if e.State == "ready" && e.Weight > 0 && e.Health != "unhealthy" && !e.EjectedUntil.After(now) {
			usable++
		}
	}
	endpoints, parts := fmt.Sprintf("%d/%d", usable, len(s.Endpoints)), shares(s.Clusters)
	if len(s.Backends) > 0 {
		endpoints, parts = "", uses(s)
	}
	return []string{s.Name, s.Source, s.Protocol, status, endpoints, parts}
}

// uses tells how a service uses others.
func uses(s api.Service) string {
	if s.Use != "failover" {
		return cmp.Or(s.Use, "see") + " " + weights(s.Backends)
	}
	var names []string
	for _, b := range s.Backends {
		names = append(names, b.Service)
	}
	return "failover " + strings.Join(names, ",")
}

// weights tells services and, where there are several, their weights.
func weights(list []api.Backend) string {
	var parts []string
	for _, b := range list {
		text := b.Service
		if len(list) > 1 {
			text += fmt.Sprintf("(%d)", b.Weight)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ",")
}

// shares tells each cluster's part.
func shares(list []api.ClusterShare) string {
	var parts []string
	for _, c := range list {
		parts = append(parts, c.Cluster+" "+percent(c.Share))
	}
	return strings.Join(parts, ", ")
}

func clusterRow(c api.Cluster, now time.Time) []string {
	return []string{
		c.Name, c.Link, c.DataPath, c.Address, strconv.Itoa(c.Routes), strconv.Itoa(c.Refused),
		fmt.Sprintf("%d/%d", c.Ready, c.Total), since(c.LastHeartbeat, now), since(c.Since, now), c.LastError,
	}
}

func problemRow(p api.Problem, _ time.Time) []string {
	object := p.Kind + " " + p.Name
	if p.Source != "" {
		object = strings.TrimSuffix(object, " ") + "@" + p.Source
	}
	if p.Lane != "" {
		object = p.Lane + " " + object
	}
	if p.Name == "" {
		object = p.Kind + " " + p.Source
	}
	message := p.Message
	if p.Reporter != "" {
		message += " (says the follower with key " + p.Reporter + ")"
	}
	return []string{object, p.Code, p.Field, p.At, message}
}

func hostRow(h api.Host, now time.Time) []string {
	health := h.Health
	switch {
	case h.EjectedUntil.After(now):
		health += ", ejected"
	case !h.EjectedUntil.IsZero():
		health += ", on trial"
	case h.HeldUntil.After(now):
		health += ", held"
	}
	latency := ""
	if h.LatencyMs > 0 {
		latency = fmt.Sprintf("%.1fms", h.LatencyMs)
	}
	gateway := ""
	if h.Gateway {
		gateway = "yes"
	}
	return []string{
		h.Address, h.Cluster, gateway, health, strconv.FormatInt(h.InFlight, 10), latency,
		strconv.FormatUint(h.Requests, 10), strconv.FormatUint(h.Failures, 10), h.LastError,
	}
}

func providerRow(p api.Provider, now time.Time) []string {
	return []string{
		p.Source, p.Status, strconv.Itoa(p.Routes), strconv.Itoa(p.Services), strconv.Itoa(p.Middlewares),
		strconv.Itoa(p.Problems), since(p.Changed, now), strconv.Itoa(p.Reconnects), since(p.Since, now), p.Error,
	}
}

func keyRow(k api.Key, now time.Time) []string {
	expires := "never"
	switch {
	case k.State != "active":
		expires = ""
	case !k.Expires.IsZero():
		expires = "in " + span(k.Expires.Sub(now))
	}
	used := "never"
	if !k.LastUsed.IsZero() {
		used = since(k.LastUsed, now) + " ago"
	}
	return []string{k.ID, k.Owner, k.State, strings.Join(k.Scopes, ","), since(k.Created, now) + " ago", expires, used}
}

func registrationRow(r api.Registration, now time.Time) []string {
	return []string{
		r.Service, r.Address, r.Protocol, r.State, strconv.Itoa(r.Weight), span(r.Ends.Sub(now)), since(r.Since, now), r.By,
	}
}
