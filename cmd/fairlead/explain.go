package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/internal/api"
	"github.com/fairlead/fairlead/internal/config"
)

func newExplain() *cobra.Command {
	var (
		q      api.Question
		path   string
		format *format
		flags  *apiFlags
	)
	cmd := &cobra.Command{
		Use:   "explain URL",
		Short: "Say where a request would go, and why",
		Long: `Say which route would serve a request, why the others would not, and which clusters and endpoints it may
be sent to. The answer comes from the code that serves requests; nothing is sent anywhere.

A running instance is asked, unless --config names an instance's file: then the answer is what it and the files that it
names say. What followed clusters export is known to a running instance only.`,
		Example: `  fairlead explain http://shop.example/cart
  fairlead explain https://shop.example/cart -X POST -H 'X-Canary: yes' --client-ip 192.0.2.7
  fairlead explain tls://db.example --entry-point postgres --alpn postgresql
  fairlead explain udp://any --entry-point dns
  fairlead explain http://shop.example/cart --config /etc/fairlead/edge.yaml`,
		Args:              exactly(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			q.URL = args[0]
			var (
				e   api.Explanation
				err error
			)
			if path != "" {
				e, err = explainFiles(cmd.Context(), q, path, cmd.ErrOrStderr())
			} else {
				e, err = explainLive(cmd.Context(), q, flags)
			}
			if err != nil {
				return explained(err)
			}
			return format.write(cmd.OutOrStdout(), e, func(w io.Writer) error { return writeExplanation(w, e) })
		},
	}
	flags, format = addAPIFlags(cmd), addFormatFlag(cmd)
	cmd.Flags().StringVarP(&q.Method, "request", "X", "GET", "method")
	cmd.Flags().StringArrayVarP(&q.Headers, "header", "H", nil, "header field, \"Name: value\"; may be given again")
	cmd.Flags().StringArrayVar(&q.ALPN, "alpn", nil, "protocol that the client of a stream offers; may be given again")
	cmd.Flags().StringVar(&q.ClientIP, "client-ip", "", "address of the client")
	cmd.Flags().StringVar(&q.EntryPoint, "entry-point", "", "where it comes in (default: as scheme and port say)")
	cmd.Flags().StringVarP(&path, "config", "c", "", "ask the files of this instance, not a running one")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml", "toml", "json")
	return cmd
}

// explainLive asks a running instance.
func explainLive(ctx context.Context, q api.Question, flags *apiFlags) (api.Explanation, error) {
	client, err := flags.client()
	if err != nil {
		return api.Explanation{}, err
	}
	defer client.Close()
	return client.Explain(ctx, q)
}

// explainFiles asks the files of an instance that need not run.
func explainFiles(ctx context.Context, q api.Question, path string, notes io.Writer) (api.Explanation, error) {
	c, err := config.Load(path)
	if err != nil {
		return api.Explanation{}, err
	}
	snapshot, err := offlineSnapshot(ctx, c)
	if err != nil {
		return api.Explanation{}, err
	}
	p, err := offlineProxy(c, snapshot)
	if err != nil {
		return api.Explanation{}, err
	}
	if len(c.Clusters) > 0 {
		fmt.Fprintln(notes, "note: what followed clusters export, and what is healthy, only a running instance knows")
	}
	return api.Explain(api.Options{Cluster: c.Cluster, Proxy: p, EntryPoints: shownEntryPoints(c)}, q)
}

// shownEntryPoints returns what explanations must know of an instance's entry points.
func shownEntryPoints(c *config.Config) (list []api.EntryPoint) {
	for _, e := range c.EntryPoints {
		_, port, _ := net.SplitHostPort(string(e.Address.Address)) // checked by config
		list = append(list, api.EntryPoint{
			Name: e.Name, Port: port, Default: e.AsDefault, TLS: e.TLS != nil,
			UDP: e.Address.UDP,
		})
	}
	return list
}

// writeExplanation writes an explanation for people: what happens first, then why nothing else does.
func writeExplanation(w io.Writer, e api.Explanation) error {
	var b strings.Builder
	r := e.Request
	if r.Method != "" {
		fmt.Fprintf(&b, "%s ", r.Method)
	}
	fmt.Fprintf(&b, "%s://%s%s", r.Scheme, r.Host, r.Path)
	if r.Query != "" {
		fmt.Fprintf(&b, "?%s", r.Query)
	}
	if r.EntryPoint != "" {
		fmt.Fprintf(&b, "  at entry point %s", r.EntryPoint)
	}
	if e.Chosen == nil {
		fmt.Fprintf(&b, "\n\n%s\n", unclaimed(r))
	} else {
		c := e.Chosen
		fmt.Fprintf(&b, "\n\nRoute %s@%s, priority %d: %s\n", c.Name, c.Source, c.Priority, showRule(c.Rule))
		if len(c.Middlewares) > 0 {
			fmt.Fprintf(&b, "through %s\n", strings.Join(c.Middlewares, ", "))
		}
		if why := whyBroken(e.Steps); why != "" {
			fmt.Fprintf(&b, "%s\n", why)
		} else {
			writeDestinations(&b, e.Backends, r.Method == "")
		}
	}
	if err := writeWhyNot(&b, e.Steps); err != nil {
		return err
	}
	_, err := io.WriteString(w, printableLines(b.String()))
	return err
}

// whyBroken says why the chosen route serves nobody; "" where it does.
func whyBroken(steps []api.Step) string {
	i := slices.IndexFunc(steps, func(s api.Step) bool { return s.Chosen })
	if i < 0 {
		return ""
	}
	return steps[i].Why
}

// showRule shows a rule.
func showRule(rule string) string {
	if rule == "" {
		return "every request"
	}
	return rule
}

// unclaimed says what becomes of what no route accepts.
func unclaimed(r api.ExplainedRequest) string {
	switch {
	case r.Method != "":
		return "No route accepts it: the answer is 404."
	case r.Scheme == "udp":
		return "No route accepts it: it is dropped."
	}
	return "No route of TCP accepts it: what speaks HTTP gets an answer, the rest is closed."
}

func writeDestinations(b *strings.Builder, list []api.Destination, streams bool) {
	what, refusal := "requests", "the answer is 503"
	if streams {
		what, refusal = "connections", "it is closed"
	}
	if len(list) == 0 {
		fmt.Fprintf(b, "\nIt leads to no service that is known: %s.\n", refusal)
	}
	for _, d := range list {
		fmt.Fprintf(b, "\nService %s, ", d.Service)
		if len(d.Via) > 0 {
			fmt.Fprintf(b, "by way of %s, ", strings.Join(d.Via, ", "))
		}
		if d.Copies {
			fmt.Fprint(b, "copies of ")
		}
		fmt.Fprintf(b, "%s of the %s", percent(d.Percent), what)
		if d.Reason != "" {
			fmt.Fprintf(b, " (%s)", d.Reason)
		}
		fmt.Fprintln(b)
		var clusters, endpoints [][]string
		for _, c := range d.Clusters {
			clusters = append(clusters, []string{"  " + c.Cluster, strconv.Itoa(c.Tier), percent(c.Share), c.Why})
		}
		for _, e := range d.Endpoints {
			next := ""
			if e.Candidate {
				next = "yes"
			}
			endpoints = append(endpoints, []string{"  " + e.Address, e.Cluster, e.Health, next, e.LastError})
		}
		if len(clusters) > 0 {
			_ = writeTable(b, []string{"  CLUSTER", "TIER", "SHARE", "WHY"}, clusters)
		}
		if len(endpoints) > 0 {
			_ = writeTable(b, []string{"  ENDPOINT", "CLUSTER", "HEALTH", "CANDIDATE", "ERROR"}, endpoints)
		}
	}
}

// writeWhyNot writes why the routes that were not chosen were not.
func writeWhyNot(b *strings.Builder, steps []api.Step) error {
	var rows [][]string
	for _, s := range steps {
		if !s.Chosen {
			rows = append(rows, []string{"  " + s.Route, strconv.Itoa(s.Priority), s.Why, showRule(s.Rule)})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	fmt.Fprintf(b, "\nWhy not the others:\n")
	return writeTable(b, []string{"  ROUTE", "PRIORITY", "WHY NOT", "RULE"}, rows)
}

// printableLines is printable for text of several lines.
func printableLines(s string) string {
	lines := strings.SplitAfter(s, "\n")
	for i, line := range lines {
		text, ended := strings.CutSuffix(line, "\n")
		if lines[i] = printable(text); ended {
			lines[i] += "\n"
		}
	}
	return strings.Join(lines, "")
}
