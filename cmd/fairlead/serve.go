package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/internal/access"
	"github.com/fairlead/fairlead/internal/config"
)

// defaultConfig is the instance's file where none is named.
const defaultConfig = "fairlead.yaml"

func newServe() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run an instance: in a cluster, at the edge, or both",
		Long: `Run an instance as its file says. Interrupt it (or send SIGTERM) to drain it: requests under way may finish.

On its first start an instance makes an API key for its administrator and leaves it in admin.key in its store, readable
by the user that runs it only. The other commands find it there.`,
		Example: `  fairlead serve
  fairlead serve --config /etc/fairlead/edge.yaml`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(path)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), c, newLog(cmd.ErrOrStderr(), c.Log))
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", defaultConfig, "the instance's file")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml", "toml", "json")
	return cmd
}

func serve(ctx context.Context, c *config.Config, log *slog.Logger) error {
	i, err := newInstance(ctx, c, log)
	if err != nil {
		return err
	}
	i.manager = notifySocket()
	if err := i.ensureAdmin(ctx); err != nil {
		i.close()
		return err
	}
	for _, p := range c.Problems {
		log.Warn("a key of the instance's file", "at", p.At, "field", p.Field, "problem", p.Message)
	}
	if i.authority != nil {
		log.Info("followers know this cluster by its CA", "cluster", c.Cluster, "ca", i.authority.Pin())
	}
	return i.Run(ctx)
}

// newLog returns the instance's own log.
func newLog(w io.Writer, o config.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(o.Level)) // checked by config; "": info
	options := &slog.HandlerOptions{Level: level}
	if o.Format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// adminKeyFile is where in the store's folder the first key is.
const adminKeyFile = "admin.key"

func (i *instance) adminKeyPath() string { return filepath.Join(i.config.Store.Path, adminKeyFile) }

// ensureAdmin makes the first key, where no key can make others.
func (i *instance) ensureAdmin(ctx context.Context) error {
	path := i.adminKeyPath()
	isAdmin := func(k access.Key) bool {
		return slices.Contains(k.Scopes, access.Admin) && k.State(time.Now()) == "active"
	}
	if slices.ContainsFunc(i.keys.List(), isAdmin) {
		return nil
	}
	presented, key, err := i.keys.Create(ctx, access.Spec{Owner: "admin", Scopes: []string{string(access.Admin)}})
	if err != nil {
		return fmt.Errorf("making the first key: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replacing an old %s: %w", path, err)
	}
	if err := os.WriteFile(path, []byte(presented+"\n"), 0o600); err != nil {
		return fmt.Errorf("leaving the first key: %w", err)
	}
	i.log.Info("made an API key for the administrator", "id", key.ID, "file", path)
	return nil
}
