package main

import (
	"errors"
	"net"

	"github.com/fairlead/fairlead/internal/telemetry/tracetest"
)

// startCollector runs a collector of traces.
func startCollector(c *call) error {
	if len(c.args) != 1 {
		return usage("collector NAME")
	}
	host, _, err := net.SplitHostPort(c.address)
	if err != nil {
		return err
	}
	collector, err := tracetest.New(host)
	if err != nil {
		return err
	}
	c.collectors[c.args[0]] = collector
	c.ts.Setenv(envName(c.args[0])+"_HTTP", collector.HTTP)
	c.ts.Setenv(envName(c.args[0])+"_GRPC", collector.GRPC)
	return nil
}

// showTraces writes what a collector was told: a line for each span, below the one that it came of.
func showTraces(c *call) error {
	if len(c.args) == 0 || c.collectors[c.args[0]] == nil {
		return usage("traces COLLECTOR [ATTRIBUTE…]")
	}
	text := tracetest.Tree(c.collectors[c.args[0]].Spans(), c.args[1:]...)
	if text == "" {
		return errors.New("the collector was told nothing")
	}
	c.stdout.WriteString(text)
	return nil
}
