package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/internal/api"
)

// registerOptions are the flags of register.
type registerOptions struct {
	api      *apiFlags
	service  string
	host     string
	port     uint16
	protocol string
	weight   int
	labels   map[string]string
	check    string
	interval time.Duration
	ttl      time.Duration
	drain    time.Duration
}

func newRegister() *cobra.Command {
	o := registerOptions{check: checkTCP, protocol: "http", weight: 1, interval: time.Second}
	o.ttl, o.drain = 15*time.Second, 5*time.Second
	cmd := &cobra.Command{
		Use:   "register --service SERVICE --port PORT [-- PROGRAM [ARGUMENT…]]",
		Short: "Register a program with an instance, for as long as it lives and is well",
		Long: `Run a program, and register it with an instance as one of those that serve a service, for as long as it lives
and its check succeeds. The instance needs  providers: {machines: {}}  in its file.

The registration has a lease, which is renewed: whatever becomes of this command, the program gets no requests soon
after. Whatever becomes of the instance, the program goes on, and is registered again when the instance is back.

On SIGTERM or SIGINT the program gets no new requests for the time to drain, then the signal; a second one is passed on
at once. Other signals are passed on. The exit code is the program's; 128 and the signal, where one ended it. The
program finds its port in $PORT. Without a program, what is registered runs elsewhere, until this command is
interrupted.`,
		Example: `  fairlead register --service shop --port 8080 --check http:/healthz -- ./shop --verbose
  fairlead register --service shop --port 8080 \
    --label 'traefik.http.routers.shop.rule=Host(` + "`shop.example`" + `)' -- ./shop
  fairlead register --service db --port 5432 --protocol tcp --host 10.0.0.7
  fairlead register --api https://edge.example:9080 --token-file shop.key --service shop --port 8080 -- ./shop`,
		RunE: o.run,
	}
	o.api = addAPIFlags(cmd)
	flags := cmd.Flags()
	flags.SetInterspersed(false) // what follows the program is the program's
	flags.StringVar(&o.service, "service", "", "what it serves")
	flags.StringVar(&o.host, "host", "", "where requests reach it (default: where the instance sees this machine)")
	flags.Uint16Var(&o.port, "port", 0, "its port")
	flags.StringVar(&o.protocol, "protocol", o.protocol, "what it speaks: http, https, h2c, tcp or udp")
	flags.IntVar(&o.weight, "weight", o.weight, "its part of the requests, relative to the others; 0: none")
	flags.StringToStringVar(&o.labels, "label", nil, "NAME=VALUE, as of a container: makes routes; may be given again")
	flags.StringVar(&o.check, "check", o.check, "whether it is well: http:/PATH, https:/PATH, a URL, tcp, or none")
	flags.DurationVar(&o.interval, "check-interval", o.interval, "how often that is asked; two failures put it out")
	flags.DurationVar(&o.ttl, "ttl", o.ttl, "the lease: how long it stays registered when nothing is heard of it")
	flags.DurationVar(&o.drain, "drain", o.drain, "how long it gets no new requests before it is ended")
	_ = cmd.RegisterFlagCompletionFunc("protocol", cobra.FixedCompletions(
		[]string{"http", "https", "h2c", "tcp", "udp"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("check", cobra.FixedCompletions(
		[]string{"http:/", "https:/", checkTCP, checkNone},
		cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
	return cmd
}

func (o *registerOptions) run(cmd *cobra.Command, program []string) error {
	if o.service == "" || o.port == 0 {
		return usageError{errors.New("register needs --service and --port")}
	}
	if o.interval <= 0 || o.ttl <= 0 || o.drain < 0 {
		return usageError{errors.New("register: --check-interval and --ttl are above 0, --drain is not below")}
	}
	isWell, err := o.newProbe()
	if err != nil {
		return err
	}
	l := newLease(o, cmd.ErrOrStderr())
	if err := l.connect(); err != nil { // so that what is mistyped is told before anything runs
		return err
	}
	defer l.close()
	r := &registered{lease: l, isWell: isWell, interval: o.interval, drain: o.drain, errs: cmd.ErrOrStderr()}
	if len(program) > 0 {
		if err := r.start(program, o.port); err != nil {
			return err
		}
	}
	return r.run(cmd.Context())
}

// address is what the registration is known by.
func (o *registerOptions) address() string {
	return net.JoinHostPort(o.host, strconv.Itoa(int(o.port)))
}

// spec is what the program says of itself, its state aside.
func (o *registerOptions) spec() api.RegistrationSpec {
	return api.RegistrationSpec{Protocol: o.protocol, Weight: &o.weight, Labels: o.labels, TTL: o.ttl.String()}
}

// local is where the program is reached from this machine.
func (o *registerOptions) local() string {
	return net.JoinHostPort(cmp.Or(o.host, "127.0.0.1"), strconv.Itoa(int(o.port)))
}

// say tells whoever started the command something.
func say(w io.Writer, format string, args ...any) {
	fmt.Fprintf(w, "fairlead: "+strings.TrimSuffix(format, "\n")+"\n", args...)
}

// environment is that of the program.
func environment(port uint16) []string { return append(os.Environ(), "PORT="+strconv.Itoa(int(port))) }
