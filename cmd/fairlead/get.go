package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fairlead/fairlead/internal/api"
)

// refresh is how often a watch looks without being told: health and shares change without a change of configuration.
const refresh = 2 * time.Second

// getOptions are the flags of get.
type getOptions struct {
	api     *apiFlags
	format  *format
	cluster string
	watch   bool
}

func newGet() *cobra.Command {
	var o getOptions
	cmd := &cobra.Command{
		Use:   "get KIND [NAME]",
		Short: "Show what an instance serves and knows",
		Long: `Show the routes, services, clusters, hosts, problems or providers of a running instance: all of a kind, or
those of a name ("shop", "team/shop", "shop@file/main"; the address of a host, the source of a provider).

` + aboutKinds(),
		Example: `  fairlead get routes
  fairlead get services shop -o yaml
  fairlead get clusters --watch
  fairlead get problems --cluster paris`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return usageError{fmt.Errorf("get takes a kind (%s), and perhaps a name", strings.Join(kindNames(), ", "))}
			}
			_, err := findKind(args[0])
			return err
		},
		ValidArgsFunction: o.complete,
		RunE:              o.run,
	}
	o.api, o.format = addAPIFlags(cmd), addFormatFlag(cmd)
	cmd.Flags().StringVar(&o.cluster, "cluster", "", "only what belongs to this cluster")
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", false, "show it again whenever it changes")
	return cmd
}

func (o *getOptions) run(cmd *cobra.Command, args []string) error {
	k, err := findKind(args[0])
	if err != nil {
		return err
	}
	client, err := o.api.client()
	if err != nil {
		return err
	}
	defer client.Close()
	f := api.Filter{Cluster: o.cluster}
	if len(args) == 2 {
		f.Name = args[1]
	}
	load := func(ctx context.Context) (found, error) {
		l, err := k.load(ctx, client, f)
		return l, explained(err)
	}
	if o.watch {
		w := watch{out: cmd.OutOrStdout(), errs: cmd.ErrOrStderr(), format: o.format, load: load}
		return w.run(cmd.Context(), client)
	}
	l, err := load(cmd.Context())
	switch {
	case err != nil:
		return err
	case len(l.names) == 0 && f.Name != "":
		return fmt.Errorf("there is nothing of the name %q among the %s", f.Name, k.name)
	}
	return l.write(cmd.OutOrStdout(), o.format, time.Now())
}

// complete offers the kinds, then the names that the instance knows, where it can be reached.
func (o *getOptions) complete(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return kindNames(), cobra.ShellCompDirectiveNoFileComp
	case 1:
		ctx, cancel := context.WithTimeout(cmd.Context(), refresh)
		defer cancel()
		k, err := findKind(args[0])
		if err != nil {
			break
		}
		client, err := o.api.client()
		if err != nil {
			break
		}
		defer client.Close()
		if l, err := k.load(ctx, client, api.Filter{Cluster: o.cluster}); err == nil {
			slices.Sort(l.names)
			return slices.Compact(l.names), cobra.ShellCompDirectiveNoFileComp
		}
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// watch writes a list again and again.
type watch struct {
	out, errs io.Writer
	format    *format
	load      func(context.Context) (found, error)

	shown string    // what was written last, as it looked at the time
	at    time.Time // that time
	wrong string    // the error that was told last
}

// run writes the list as it is, and after each change, until ctx is done or the instance refuses the key.
func (w *watch) run(ctx context.Context, client *api.Client) error {
	told := make(chan error)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	defer func() { cancel(); <-ended }()
	go func() {
		defer close(ended)
		for _, err := range client.Watch(ctx) {
			select {
			case told <- err:
			case <-ctx.Done():
			}
		}
	}()
	again := time.NewTicker(refresh)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-told:
			if err != nil {
				if err := w.tell(explained(err), isRefusal(err)); err != nil {
					return err
				}
				continue
			}
		case <-again.C:
		}
		if err := w.show(ctx); err != nil {
			return err
		}
	}
}

// show writes the list if it differs from what is there.
func (w *watch) show(ctx context.Context) error {
	l, err := w.load(ctx)
	if err != nil {
		return w.tell(err, false) // a refused key ends the stream, too
	}
	w.wrong = ""
	// Compared as of the same moment: that time goes by is no change.
	var as strings.Builder
	if err := l.write(&as, w.format, w.at); err != nil {
		return err
	}
	if as.String() == w.shown {
		return nil
	}
	w.at = time.Now()
	as.Reset()
	if err := l.write(&as, w.format, w.at); err != nil {
		return err
	}
	if file, ok := w.out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		fmt.Fprint(w.out, "\x1b[H\x1b[2J")
	} else if w.shown != "" {
		fmt.Fprintln(w.out)
	}
	w.shown = as.String()
	_, err = io.WriteString(w.out, w.shown)
	return err
}

// tell writes an error, once; it returns it where going on is of no use.
func (w *watch) tell(err error, last bool) error {
	switch text := err.Error(); {
	case last:
		return err
	case text != w.wrong && !errors.Is(err, context.Canceled):
		w.wrong = text
		fmt.Fprintf(w.errs, "fairlead: %s; trying again\n", text)
	}
	return nil
}

// isRefusal reports whether the instance does not want the key.
func isRefusal(err error) bool {
	told, ok := errors.AsType[*api.Error](err)
	return ok && (told.Status == 401 || told.Status == 403)
}
