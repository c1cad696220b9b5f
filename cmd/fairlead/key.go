package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/internal/access"
	"github.com/fairlead/fairlead/internal/api"
	"github.com/fairlead/fairlead/internal/store"
)

// issuer gives secrets out. It is the API's client, or the store itself (offlineKeys).
type issuer interface {
	CreateKey(context.Context, api.KeySpec) (api.IssuedKey, error)
	RotateKey(ctx context.Context, id string, overlap time.Duration) (api.IssuedKey, error)
}

// register is what an issuer has issued.
type register interface {
	Keys(context.Context) ([]api.Key, error)
	RevokeKey(ctx context.Context, id string) error
}

// keyOptions are the flags of key and of the commands below it.
type keyOptions struct {
	api     *apiFlags
	format  *format
	offline bool
}

func newKey() *cobra.Command {
	var o keyOptions
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make, list, rotate and revoke API keys",
		Long: `Make, list, rotate and revoke API keys of a running instance. That needs a key with the scope admin: an
instance leaves one in its store when it starts for the first time.

With --offline the store itself is opened, while no instance runs on it: to make keys before anything runs.`,
		Example: `  fairlead key create --owner edge-1 --scope link:read,link:traffic
  fairlead key list
  fairlead key rotate k4w2z7n5q3xm --overlap 24h
  fairlead key revoke k4w2z7n5q3xm`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("there is no command %q; there are create, list, rotate, revoke", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	o.api, o.format = addAPIFlags(cmd), addFormatFlag(cmd)
	cmd.PersistentFlags().BoolVar(&o.offline, "offline", false, "open the store itself; no instance may run on it")
	cmd.AddCommand(newKeyCreate(&o), newKeyList(&o), newKeyRotate(&o), newKeyRevoke(&o))
	return cmd
}

func newKeyCreate(o *keyOptions) *cobra.Command {
	var (
		spec    api.KeySpec
		expires time.Duration
	)
	cmd := &cobra.Command{
		Use:   "create --owner OWNER --scope SCOPE[,SCOPE]",
		Short: "Make a key, and show it once",
		Long: `Make a key. It is written to standard output and nowhere else; what is known of it, to standard error.

Scopes: link:read (see what is exported), link:traffic (send requests to it), api:read, api:write, admin (everything,
keys included), route:NAME (routes that ask for this name; route:* for all). Roles: viewer, operator, admin.`,
		Example: `  fairlead key create --owner edge-1 --scope link:read,link:traffic
  fairlead key create --owner ci --scope viewer --expires 720h > ci.key
  fairlead key create --offline --store /var/lib/fairlead --owner ops --scope admin`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if spec.Owner == "" || len(spec.Scopes) == 0 {
				return usageError{errors.New("key create needs --owner and --scope")}
			}
			if expires < 0 {
				return usageError{fmt.Errorf("--expires: %v is past", expires)}
			}
			if expires > 0 {
				spec.Expires = time.Now().Add(expires).Round(time.Second)
			}
			return o.issue(cmd, func(ctx context.Context, keys issuer) (api.IssuedKey, error) {
				return keys.CreateKey(ctx, spec)
			})
		},
	}
	cmd.Flags().StringVar(&spec.Owner, "owner", "", "who will use it, for people")
	cmd.Flags().StringSliceVar(&spec.Scopes, "scope", nil, "what it may do; several with commas")
	cmd.Flags().DurationVar(&expires, "expires", 0, "after how long it ends; 0: never")
	_ = cmd.RegisterFlagCompletionFunc("scope", cobra.FixedCompletions([]string{
		string(access.LinkRead), string(access.LinkTraffic), string(access.APIRead), string(access.APIWrite),
		string(access.Admin), string(access.AllRoutes), "viewer", "operator",
	}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func newKeyRotate(o *keyOptions) *cobra.Command {
	overlap := 24 * time.Hour
	cmd := &cobra.Command{
		Use:   "rotate ID",
		Short: "Give a key a new secret, and show it once",
		Long: `Give a key a new secret. Until the overlap is over, the one before is good too, so that its users can
change over without being refused. A third one never is: rotating again ends the oldest at once.`,
		Example: `  fairlead key rotate k4w2z7n5q3xm
  fairlead key rotate k4w2z7n5q3xm --overlap 0s   # the old secret ends now`,
		Args:              exactly(1),
		ValidArgsFunction: o.complete,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.issue(cmd, func(ctx context.Context, keys issuer) (api.IssuedKey, error) {
				return keys.RotateKey(ctx, args[0], overlap)
			})
		},
	}
	cmd.Flags().DurationVar(&overlap, "overlap", overlap, "how long the secret before is good, too")
	return cmd
}

func newKeyList(o *keyOptions) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the keys, without their secrets",
		Example: "  fairlead key list\n  fairlead key list --offline --store /var/lib/fairlead -o json",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.open(cmd.Context(), func(_ issuer, keys register) error {
				list, err := keys.Keys(cmd.Context())
				if err != nil {
					return err
				}
				return o.format.write(cmd.OutOrStdout(), list, func(w io.Writer) error {
					var rows [][]string
					for _, k := range list {
						rows = append(rows, keyRow(k, time.Now()))
					}
					return writeTable(w, strings.Fields("ID OWNER STATE SCOPES CREATED EXPIRES USED"), rows)
				})
			})
		},
	}
}

func newKeyRevoke(o *keyOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "End a key and its open sessions, for ever",
		Long: `End a key, for ever. It is refused from now on, and what is open with it (links, streams) ends at once.

The key stays in the list, so that it can be seen whose it was.`,
		Example:           "  fairlead key revoke k4w2z7n5q3xm",
		Args:              exactly(1),
		ValidArgsFunction: o.complete,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.open(cmd.Context(), func(_ issuer, keys register) error {
				if err := keys.RevokeKey(cmd.Context(), args[0]); err != nil {
					return err
				}
				_, err := fmt.Fprintf(cmd.ErrOrStderr(), "key %s is revoked\n", args[0])
				return err
			})
		},
	}
}

// issue makes a secret and shows it: alone on standard output, so that it can go into a file.
func (o *keyOptions) issue(cmd *cobra.Command, give func(context.Context, issuer) (api.IssuedKey, error)) error {
	return o.open(cmd.Context(), func(keys issuer, _ register) error {
		issued, err := give(cmd.Context(), keys)
		if err != nil {
			return err
		}
		return o.format.write(cmd.OutOrStdout(), issued, func(w io.Writer) error {
			fmt.Fprintf(cmd.ErrOrStderr(), "key %s for %s: %s. It is shown once:\n",
				issued.Key.ID, printable(issued.Key.Owner), strings.Join(issued.Key.Scopes, ", "))
			_, err := fmt.Fprintln(w, issued.Presented)
			return err
		})
	})
}

// open calls use with the keys of the instance, or of its store.
func (o *keyOptions) open(ctx context.Context, use func(issuer, register) error) (err error) {
	if !o.offline {
		client, err := o.api.client()
		if err != nil {
			return err
		}
		defer client.Close()
		return explained(use(client, client))
	}
	opened, err := store.Open(filepath.Join(o.api.store, "store.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	keys, err := access.NewKeys(ctx, opened, access.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	return use(offlineKeys{keys}, offlineKeys{keys})
}

// complete offers the ids of the keys, where they can be had.
func (o *keyOptions) complete(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var ids []string
	if len(args) == 0 {
		ctx, cancel := context.WithTimeout(cmd.Context(), refresh)
		defer cancel()
		_ = o.open(ctx, func(_ issuer, keys register) error {
			list, err := keys.Keys(ctx)
			for _, k := range list {
				ids = append(ids, k.ID+"\t"+printable(k.Owner))
			}
			return err
		})
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// offlineKeys are the keys of a store on which no instance runs, as the API shows them.
type offlineKeys struct{ keys *access.Keys }

// CreateKey is part of issuer.
func (o offlineKeys) CreateKey(ctx context.Context, spec api.KeySpec) (api.IssuedKey, error) {
	presented, key, err := o.keys.Create(ctx, access.Spec(spec))
	return api.IssuedKey{Key: api.KeyOf(key, time.Now()), Presented: presented}, err
}

// RotateKey is part of issuer.
func (o offlineKeys) RotateKey(ctx context.Context, id string, overlap time.Duration) (api.IssuedKey, error) {
	presented, err := o.keys.Rotate(ctx, id, overlap)
	if err != nil {
		return api.IssuedKey{}, err
	}
	key, err := o.keys.Get(id)
	return api.IssuedKey{Key: api.KeyOf(key, time.Now()), Presented: presented}, err
}

// Keys is part of register.
func (o offlineKeys) Keys(context.Context) ([]api.Key, error) {
	var list []api.Key
	for _, k := range o.keys.List() {
		list = append(list, api.KeyOf(k, time.Now()))
	}
	return list, nil
}

// RevokeKey is part of register.
func (o offlineKeys) RevokeKey(ctx context.Context, id string) error { return o.keys.Revoke(ctx, id) }
