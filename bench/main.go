//go:build linux

// Command bench measures Fairlead side by side with other proxies: all are up at once, on the same core, with
// equivalent configurations (the files in peers), and visited in turns. docs/figures.md has what it said.
//
// cases.go lists what is measured, proxies.go with what; rounds.go is how. service.go is the service behind them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitFailed  = 1 // something could not be measured
	exitUsage   = 2 // the command line could not be understood
	exitRefused = 3 // it was measured, and some requests to Fairlead failed
)

// serviceVariable makes this program the service behind the proxies.
const serviceVariable = "FAIRLEAD_BENCH_SERVICE"

func main() {
	if os.Getenv(serviceVariable) != "" {
		fmt.Fprintln(os.Stderr, "bench:", serve(os.Stdout))
		os.Exit(exitFailed)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	command := newCommand()
	err := command.ExecuteContext(ctx)
	stop()
	switch {
	case err == nil:
	case errors.As(err, new(usageError)):
		fmt.Fprintf(os.Stderr, "bench: %v\nRun 'go run ./bench --help' for what can be said.\n", err)
		os.Exit(exitUsage)
	case errors.Is(err, errRefused):
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(exitRefused)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(exitFailed)
	}
}

// usageError is a command line that cannot be understood.
type usageError struct{ error }

// errRefused says that the numbers are not all of answered requests.
var errRefused = errors.New("requests to Fairlead failed")

// options are what the command line says.
type options struct {
	quick, smoke   bool
	cases, proxies []string
	output         string
	fairlead       string
	also           map[string]string
	rounds         int
	duration       time.Duration
}

func newCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure Fairlead side by side with other proxies",
		Long: `Measure Fairlead side by side with the proxies that are installed: nginx, HAProxy, Caddy, Traefik.

All run at once on one core, each with one worker; the load and the service behind them are on the other cores. In each
round every proxy is visited once, in alternating order; meanwhile all of it goes before other programs. CPU is the run
time of the whole process tree for each answered request, in microseconds. The numbers of different runs cannot be
compared, those of one run can: look at the ratios.

Exit codes: 1 something could not be measured, 2 wrong usage, 3 some requests to Fairlead failed.`,
		Example: `  go run ./bench                               everything, half an hour
  go run ./bench --quick                       two minutes
  go run ./bench --case h1-64,https --proxy fairlead,nginx
  go run ./bench --quick -o json > after.json  one object a line
  go run ./bench --case h1-64 --also before=/path/to/another/fairlead`,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return measure(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	f := cmd.Flags()
	f.BoolVar(&o.quick, "quick", false, "the most telling cases, 3 rounds of 1 s")
	f.BoolVar(&o.smoke, "smoke", false, "a few cases once, for 1 s: shows that it runs, not how fast")
	f.StringSliceVar(&o.cases, "case", nil, "only these: "+strings.Join(caseNames(), ", "))
	f.StringSliceVar(&o.proxies, "proxy", nil, "only these, by name")
	f.StringVarP(&o.output, "output", "o", "table", "table or json")
	f.StringVar(&o.fairlead, "fairlead", "", "the program to measure (default: built from this tree)")
	f.StringToStringVar(&o.also, "also", nil, "further builds of Fairlead to measure beside it, as name=path")
	f.IntVar(&o.rounds, "rounds", 7, "how often each proxy is visited in each case")
	f.DurationVar(&o.duration, "duration", 2*time.Second, "how long a visit is, in whole seconds")
	return cmd
}

func (o options) plan() plan {
	switch {
	case o.smoke:
		return plan{1, time.Second, 1000, 2}
	case o.quick:
		return plan{3, time.Second, 1000, 2}
	}
	return plan{max(1, o.rounds), max(time.Second, o.duration.Round(time.Second)), 10_000, max(2, o.rounds)}
}

// progress says what is being done.
type progress func(format string, args ...any)

// measure does what the command line asks for.
func measure(ctx context.Context, o options, out, notes io.Writer) (err error) {
	say := func(format string, args ...any) { fmt.Fprintf(notes, "bench: "+format+"\n", args...) }
	cases, err := o.chosenCases()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "fairlead-bench-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	proxies, err := prepare(ctx, o, cases, dir, say)
	if err != nil {
		return err
	}
	l, err := openLab(ctx, dir)
	if err != nil {
		return err
	}
	defer l.close()
	defer goFirst(os.Getpid())()
	if o.output == "table" {
		fmt.Fprintln(out, machine(l))
		for _, p := range proxies {
			fmt.Fprintf(out, "%s %s\n", p.name, p.version)
		}
	}
	failed := 0
	for _, c := range cases {
		part := takingPart(c, proxies, o.proxies)
		if len(part) == 0 {
			say("%s: none of the chosen proxies takes part", c.name)
			continue
		}
		results, err := l.runCase(ctx, c, part, o.plan(), say)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		for _, r := range results {
			if r.ours {
				failed += r.Failed // what others let fall is a result, and no mistake
			}
		}
		if err := o.print(out, c, results); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d %w", failed, errRefused)
	}
	return nil
}

// runCase measures one case with the proxies that take part.
func (l *lab) runCase(ctx context.Context, c benchCase, proxies []proxy, p plan, say progress) ([]result, error) {
	up, down, err := l.bringUp(ctx, c, proxies)
	if err != nil {
		return nil, err
	}
	defer down()
	results, err := c.measure(ctx, &run{lab: l, plan: p, say: func(format string, args ...any) {
		say(c.name+": "+format, args...)
	}}, up)
	for i := range results {
		results[i].Case = c.name
	}
	return results, err
}

func (o options) print(out io.Writer, c benchCase, results []result) error {
	if o.output == "json" {
		return printJSON(out, results)
	}
	return printTable(out, c, results)
}

// prepare builds Fairlead, unless it is given, and finds the others and what makes the load.
func prepare(ctx context.Context, o options, cases []benchCase, dir string, say progress) ([]proxy, error) {
	for _, c := range cases {
		if _, err := exec.LookPath(c.needs); c.needs != "" && err != nil {
			return nil, fmt.Errorf("%w; on Debian: apt-get install --no-install-recommends wrk nghttp2-client", err)
		}
	}
	if err := writeLoad(dir); err != nil {
		return nil, err
	}
	binary := o.fairlead
	if binary == "" {
		say("building Fairlead")
		binary = filepath.Join(dir, "fairlead")
		if _, err := runToEnd(ctx, "go", "build", "-o", binary, "github.com/fairlead/fairlead/cmd/fairlead"); err != nil {
			return nil, fmt.Errorf("building Fairlead: %w", err)
		}
	}
	proxies, hint, err := findProxies(ctx, binary, o.also)
	if hint != "" {
		say("%s", hint)
	}
	if err != nil {
		return nil, err
	}
	for _, name := range o.proxies {
		if !slices.ContainsFunc(proxies, func(p proxy) bool { return p.name == name }) {
			return nil, usageError{fmt.Errorf("no proxy called %s was found", name)}
		}
	}
	return proxies, nil
}

func caseNames() (names []string) {
	for _, c := range allCases() {
		names = append(names, c.name)
	}
	return names
}

// chosenCases returns the cases to run.
func (o options) chosenCases() (chosen []benchCase, err error) {
	if o.output != "table" && o.output != "json" {
		return nil, usageError{fmt.Errorf("the output is table or json, not %s", o.output)}
	}
	for _, name := range o.cases {
		if !slices.Contains(caseNames(), name) {
			return nil, usageError{fmt.Errorf("no case is called %s; there are %s", name, strings.Join(caseNames(), ", "))}
		}
	}
	names := o.cases
	if o.smoke && names == nil {
		names = []string{"h1-64", "h2", "handshake", "idle"} // one of each kind that takes no more than a moment
	}
	for _, c := range allCases() {
		if slices.Contains(names, c.name) || names == nil && (c.quick || !o.quick) {
			chosen = append(chosen, c)
		}
	}
	return chosen, nil
}

// takingPart returns the proxies of a case.
func takingPart(c benchCase, proxies []proxy, named []string) (part []proxy) {
	for _, p := range proxies {
		isNamed := len(named) == 0 || slices.Contains(named, p.name)
		takes := p.ours || c.peers == nil || slices.Contains(c.peers, p.program)
		if isNamed && takes && (c.variants && p.ours || !c.variants && !p.variant) {
			part = append(part, p)
		}
	}
	return part
}
