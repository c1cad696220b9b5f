// Command fairlead is an application proxy for many clusters.
//
// One file a command; instance.go puts an instance together from its parts. This is the only package that knows all of
// them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitFailed = 1 // what was asked for was tried and failed, or was found to be wrong
	exitUsage  = 2 // it could not be understood
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, newRoot(), os.Args[1:])
	stop()
	os.Exit(code)
}

// run runs a command line and returns the exit code.
func run(ctx context.Context, root *cobra.Command, args []string) int {
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if code, ok := errors.AsType[exitCode](err); ok {
		return int(code)
	}
	switch {
	case err == nil:
		return 0
	case errors.As(err, new(usageError)):
		fmt.Fprintf(root.ErrOrStderr(), "fairlead: %v\nRun 'fairlead --help' for what can be said.\n", err)
		return exitUsage
	case errors.Is(err, errSilent):
		return exitFailed
	default:
		fmt.Fprintf(root.ErrOrStderr(), "fairlead: %v\n", err)
		return exitFailed
	}
}

// usageError is a command line that cannot be understood.
type usageError struct{ error }

// errSilent ends a command with exit code 1 where everything has been said already.
var errSilent = errors.New("failed")

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "fairlead",
		Short: "An application proxy for many clusters",
		Long: `Fairlead leads requests to services in many clusters, whatever runs them.

In a cluster it serves the routes that it finds there, and exports those that should be seen from outside. At the
network's edge it follows clusters and inherits their routes as they change.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		newServe(), newAgent(), newCheck(), newDemo(), newExplain(), newGet(), newKey(), newRegister(), newVersion(),
	)
	return root
}

// exactly checks the number of arguments, as cobra.ExactArgs does, with an error that counts as one of usage.
func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError{fmt.Errorf("%s takes %d arguments, not %d", cmd.CommandPath(), n, len(args))}
		}
		return nil
	}
}
