package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"
)

// demoOptions are the demo's flags.
type demoOptions struct {
	port      int           // of the edge; 0: a free one
	perSecond int           // requests of the built-in client
	length    time.Duration // 0: until interrupted
	verbose   bool
}

func newDemo() *cobra.Command {
	o := demoOptions{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show an edge and three clusters on this machine",
		Long: `Start an edge and three clusters with small applications behind them, all in this process and on loopback
addresses, and show which cluster serves the requests of a built-in client. Press 1, 2 or 3 to take a cluster away or to
bring it back, q to end.

With --for, the demo takes a cluster away and brings it back by itself, ends with one line of figures, and fails if a
request was lost that another cluster could have served.`,
		Example: `  fairlead demo
  fairlead demo --for 20s
  fairlead demo kill paris        # in another terminal
  fairlead demo restore paris`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.perSecond < 1 || o.perSecond > 10_000 {
				return usageError{fmt.Errorf("--rate is from 1 to 10000, not %d", o.perSecond)}
			}
			return runDemo(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().IntVar(&o.port, "port", 0, "the edge's port; 0 picks a free one")
	cmd.Flags().IntVar(&o.perSecond, "rate", 200, "requests a second that the built-in client makes")
	cmd.Flags().DurationVar(&o.length, "for", 0,
		"end by itself after so long; take a cluster away and bring it back meanwhile")
	cmd.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "show what the instances log")
	cmd.AddCommand(newDemoKill(), newDemoRestore())
	return cmd
}

func runDemo(ctx context.Context, o demoOptions, out, errs io.Writer) error {
	log := slog.New(slog.DiscardHandler)
	if o.verbose {
		log = slog.New(slog.NewTextHandler(errs, nil))
	}
	world, err := newDemoWorld(ctx, net.JoinHostPort("127.0.0.1", strconv.Itoa(o.port)), log)
	if err != nil {
		return fmt.Errorf("starting the demo: %w", err)
	}
	defer world.close()
	if err := world.ready(ctx); err != nil {
		return err
	}
	world.describe(out)
	return world.play(ctx, o, out)
}

// play runs the client and the view until the demo is over, and says what the client saw.
func (w *demoWorld) play(ctx context.Context, o demoOptions, out io.Writer) error {
	load := newDemoLoad(w.address, o.perSecond)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var group errgroup.Group
	group.Go(func() error { load.run(ctx); return nil })           // the client
	group.Go(func() error { serveDemoOrders(ctx, w); return nil }) // kill and restore from elsewhere
	if o.length > 0 {
		group.Go(func() error { defer stop(); return w.script(ctx, o.length) }) // takes a cluster away by itself
	}
	group.Go(func() error { defer stop(); return w.show(ctx, load, out) }) // the table
	if err := group.Wait(); err != nil {
		return err
	}
	seen := load.seen()
	fmt.Fprintf(out, "served %d, failed %d%s\n", seen.Served, seen.Failed, byCluster(w, seen))
	if o.length > 0 && seen.Failed > 0 {
		return fmt.Errorf("%d requests were lost; the last one: %s", seen.Failed, seen.Last)
	}
	if o.length > 0 && seen.Served == 0 {
		return errors.New("no request was served")
	}
	return nil
}

// byCluster says who served.
func byCluster(w *demoWorld, seen demoCounts) (text string) {
	for _, c := range w.clusters {
		if n := seen.By[c.Name]; n > 0 {
			text += fmt.Sprintf(", %s %d", c.Name, n)
		}
	}
	return text
}

// script takes frankfurt away after a third of the time and brings it back after two thirds.
func (w *demoWorld) script(ctx context.Context, length time.Duration) error {
	c, err := w.cluster("frankfurt")
	if err != nil {
		return err
	}
	steps := []func() error{
		func() error { c.kill(); return nil },
		func() error { return c.start(context.WithoutCancel(ctx), w.log) },
		func() error { return nil },
	}
	for _, step := range steps {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(length / time.Duration(len(steps))):
		}
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// ready waits until the edge has inherited what the clusters export.
func (w *demoWorld) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	want := 0
	for _, c := range w.clusters {
		want += len(c.apps)
	}
	for s := range w.edge.instance.catalog.Watch(ctx) {
		if len(s.Routes) == want {
			return nil
		}
	}
	return errors.New("the edge did not learn the clusters' routes in time; run it again with --verbose")
}

func (w *demoWorld) describe(out io.Writer) {
	fmt.Fprintf(out, "An edge on http://%s follows three clusters:\n", w.address)
	for _, c := range w.clusters {
		fmt.Fprintf(out, "  %-10s link %s, runs", c.Name, c.Link)
		for _, a := range c.apps {
			fmt.Fprintf(out, " %s", a.Name)
		}
		fmt.Fprintln(out)
	}
	api := w.edge.instance.services[0].net.Addr()
	fmt.Fprintf(out, `
Try, from another terminal:
  curl -i -H 'Host: shop.localhost' http://%[1]s/           # in two clusters
  curl -i -H 'Host: maps.localhost' http://%[1]s/           # in oslo only
  curl -i -H 'Host: orders.localhost' http://%[1]s/         # in paris, which asks for an API key
  curl -i -H 'Host: orders.localhost' -H 'X-Api-Key: %[2]s' http://%[1]s/
  curl -sH "Authorization: Bearer $(cat %[3]s)" http://%[4]s/api/v1/clusters
  %[5]s demo kill paris; %[5]s demo restore paris

`, w.address, w.customer, w.adminKey(), api, thisProgram())
}

// thisProgram returns how to run this program again.
func thisProgram() string {
	if path, err := os.Executable(); err == nil && strings.Contains(path, "go-build") {
		return "go run ./cmd/fairlead"
	}
	return "fairlead"
}

// adminKey returns the file with the key to the edge's management API.
func (w *demoWorld) adminKey() string { return w.edge.instance.adminKeyPath() }

// show keeps a table of the clusters in view until ctx is done or the user ends it; where there is no terminal, it
// prints a line a second.
func (w *demoWorld) show(ctx context.Context, load *demoLoad, out io.Writer) error {
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) && term.IsTerminal(int(os.Stdin.Fd())) {
		return showTable(ctx, w, load, f)
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			seen := load.seen()
			fmt.Fprintf(out, "%s  served %d, failed %d%s%s\n",
				time.Now().Format(time.TimeOnly), seen.Served, seen.Failed, byCluster(w, seen), w.away())
		}
	}
}

// away says which clusters are taken away.
func (w *demoWorld) away() (text string) {
	for _, c := range w.clusters {
		if !c.alive() {
			text += "  (" + c.Name + " is away)"
		}
	}
	return text
}
