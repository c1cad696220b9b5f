package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// A running demo is told to take a cluster away, or to bring it back, over a socket that only its user can reach.

// demoSocket returns where that socket is.
func demoSocket() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("fairlead-demo-%d.sock", os.Getuid()))
}

func newDemoKill() *cobra.Command {
	return demoOrder("kill", "Take a cluster of the running demo away")
}

func newDemoRestore() *cobra.Command {
	return demoOrder("restore", "Bring a cluster of the running demo back")
}

func demoOrder(verb, short string) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " CLUSTER",
		Short:   short,
		Example: "  fairlead demo " + verb + " paris",
		Args:    exactly(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) (names []string, _ cobra.ShellCompDirective) {
			for _, c := range demoPlan() {
				names = append(names, c.Name)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return sendDemoOrder(cmd.Context(), verb, args[0])
		},
	}
}

func sendDemoOrder(ctx context.Context, verb, cluster string) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", demoSocket())
		},
	}}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://demo/"+verb+"/"+cluster, nil)
	if err != nil {
		return usageError{fmt.Errorf("%q is not a cluster: %w", cluster, err)}
	}
	answer, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("no demo is running that could be told; start one with 'fairlead demo' (%w)", err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("reading the demo's answer: %w", err)
	}
	if answer.StatusCode != http.StatusNoContent {
		return errors.New(strings.TrimSpace(string(text)))
	}
	return nil
}

// serveDemoOrders takes orders until ctx is done. When another demo of this user runs already, orders go to that one,
// and this one can still be steered from its terminal.
func serveDemoOrders(ctx context.Context, w *demoWorld) {
	l, err := listenDemo()
	if err != nil {
		w.log.Warn("'fairlead demo kill' and 'restore' will not reach this demo", "error", err)
		return
	}
	mux := http.NewServeMux()
	order := func(do func(*demoCluster) error) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			c, err := w.cluster(r.PathValue("cluster"))
			if err == nil {
				err = do(c)
			}
			if err != nil {
				http.Error(rw, err.Error(), http.StatusBadRequest)
				return
			}
			rw.WriteHeader(http.StatusNoContent)
		}
	}
	mux.HandleFunc("POST /kill/{cluster}", order(func(c *demoCluster) error { c.kill(); return nil }))
	mux.HandleFunc("POST /restore/{cluster}", order(func(c *demoCluster) error { return c.start(ctx, w.log) }))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		w.log.Warn("no longer taking orders", "error", err)
	}
}

func listenDemo() (net.Listener, error) {
	if conn, err := net.Dial("unix", demoSocket()); err == nil {
		_ = conn.Close()
		return nil, errors.New("another demo is running")
	}
	if err := os.Remove(demoSocket()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", demoSocket())
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(demoSocket(), 0o600)
}
