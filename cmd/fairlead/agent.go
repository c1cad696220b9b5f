package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"

	"github.com/fairlead/fairlead/internal/access"
	"github.com/fairlead/fairlead/internal/cert"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/provider/engine"
	"github.com/fairlead/fairlead/internal/provider/swarm/agent"
)

// agentOptions are the flags of agent.
type agentOptions struct {
	listen   string
	endpoint string
	pair     cert.Pair
	tokens   []string // files
	labels   []string
}

const (
	// shortestToken is how many characters a token has at least: 128 bits as base 16.
	shortestToken = 32
	// agentConnections is how many connections an agent has at a time.
	agentConnections = 256
)

func newAgent() *cobra.Command {
	o := agentOptions{listen: ":9470", endpoint: "unix:///var/run/docker.sock"}
	cmd := &cobra.Command{
		Use:   "agent --cert FILE --key FILE --token-file FILE",
		Short: "Show what discovery needs of a Docker Swarm, beside a manager",
		Long: `Show the instances that follow a swarm what they need of it, so that they need no manager's socket: who may
use that is root on every machine of the swarm.

Services, tasks, nodes and events are shown, without what is nobody's business: no environment, commands, mounts,
secrets or images, and of the labels those of routes and stacks, and that begin with what --label says. Nothing can be
changed. Whoever asks needs one of the tokens, of 32 characters or more. Several files with tokens let one be replaced
without an interruption.`,
		Example: `  openssl rand -hex 32 > agent.token && chmod 600 agent.token
  fairlead agent --cert agent.crt --key agent.key --token-file agent.token`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), newLog(cmd.ErrOrStderr(), config.Log{}))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.listen, "listen", o.listen, "address to be asked at")
	flags.StringVar(&o.endpoint, "endpoint", o.endpoint, "the manager's engine: unix:///PATH, or tcp://127.0.0.1:PORT")
	flags.StringVar(&o.pair.CertFile, "cert", "", "certificate to show, PEM; it may be replaced while the agent runs")
	flags.StringVar(&o.pair.KeyFile, "key", "", "its key, PEM")
	flags.StringArrayVar(&o.tokens, "token-file", nil, "file with a token that is good, which only its owner may read")
	flags.StringArrayVar(&o.labels, "label", nil, "what more labels begin with that are shown")
	for _, name := range []string{"cert", "key", "token-file"} {
		_ = cmd.MarkFlagFilename(name)
	}
	return cmd
}

func (o *agentOptions) run(ctx context.Context, log *slog.Logger) error {
	if o.pair.CertFile == "" || o.pair.KeyFile == "" || len(o.tokens) == 0 {
		return usageError{errors.New("agent needs --cert, --key and --token-file")}
	}
	tokens := o.tokenReader()
	if _, err := tokens(); err != nil {
		return err
	}
	files, err := cert.NewFiles([]cert.Pair{o.pair}, log)
	if err != nil {
		return fmt.Errorf("reading the certificate: %w", err)
	}
	a, err := agent.New(agent.Config{
		Engine: engine.Engine{Endpoint: o.endpoint}, Tokens: tokens, Labels: o.labels,
	}, log)
	if err != nil {
		return fmt.Errorf("--endpoint: %w", err)
	}
	defer func() { _ = a.Close() }()
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	log.Info("service open", "name", "agent", "address", l.Addr().String())
	l = tls.NewListener(netutil.LimitListener(l, agentConnections), cert.ServerTLS(files.GetCertificate, tls.VersionTLS13))
	served := service{"the agent", l, &http.Server{
		Handler: a, ReadTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}}
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return files.Run(running) })  // the certificate may be replaced
	group.Go(func() error { return served.run(running) }) // requests
	return group.Wait()
}

// tokenReader returns what reads the tokens, now and then anew.
func (o *agentOptions) tokenReader() func() ([]string, error) {
	var mu sync.Mutex
	var tokens []string
	var read time.Time
	return func() ([]string, error) {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(read) < keyFreshness {
			return tokens, nil
		}
		var now []string
		for _, file := range o.tokens {
			secret, err := access.Resolve("file:" + filepath.Clean(file))
			if err != nil {
				return nil, err
			}
			if len(secret.Reveal()) < shortestToken {
				return nil, fmt.Errorf("the token in %s has less than %d characters; take: openssl rand -hex 32", file,
					shortestToken)
			}
			now = append(now, secret.Reveal())
		}
		tokens, read = now, time.Now()
		return tokens, nil
	}
}
