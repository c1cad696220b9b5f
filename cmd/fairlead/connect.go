package main

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/internal/access"
	"github.com/fairlead/fairlead/internal/api"
	"github.com/fairlead/fairlead/internal/cert"
	"github.com/fairlead/fairlead/internal/model"
)

// The environment variables that say which instance a command asks, and with which key.
const (
	envAPI       = "FAIRLEAD_API"
	envToken     = "FAIRLEAD_TOKEN"
	envTokenFile = "FAIRLEAD_TOKEN_FILE"
)

const (
	defaultAPI   = "http://127.0.0.1:9080"
	defaultStore = "fairlead-data"
)

// apiFlags say how an instance is reached. A key is never an argument: every user of the machine can read those.
type apiFlags struct {
	cmd       *cobra.Command
	url       string
	tokenFile string
	store     string
	ca        string
}

// addAPIFlags gives a command, and those below it, the flags.
func addAPIFlags(cmd *cobra.Command) *apiFlags {
	a := &apiFlags{cmd: cmd}
	flags := cmd.PersistentFlags()
	flags.StringVar(&a.url, "api", "", "management API of the instance ($"+envAPI+"; default "+defaultAPI+")")
	flags.StringVar(&a.tokenFile, "token-file", "", "file with the API key ($"+envTokenFile+"; or the key itself in $"+
		envToken+"; default admin.key in the store)")
	flags.StringVar(&a.store, "store", defaultStore, "folder of the instance's store, where its first key is")
	flags.StringVar(&a.ca, "ca", "", "certificates (PEM) that the API's must come from (default: the system's)")
	_ = cmd.MarkPersistentFlagDirname("store")
	return a
}

// client returns a client for the instance that the flags and the environment name.
func (a *apiFlags) client() (*api.Client, error) {
	o := api.ClientOptions{URL: cmp.Or(a.url, os.Getenv(envAPI), defaultAPI)}
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, usageError{fmt.Errorf("--api: %q is no URL such as %s", o.URL, defaultAPI)}
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		return nil, usageError{fmt.Errorf("--api: %s is not this machine, and http would show the key on the way: use https",
			u.Hostname())}
	}
	if a.ca != "" {
		if o.TLS, err = trustOnly(a.ca); err != nil {
			return nil, err
		}
	}
	if o.Token, err = a.token(); err != nil {
		return nil, err
	}
	return api.NewClient(o), nil
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func trustOnly(file string) (*tls.Config, error) {
	c, err := cert.ClientTLS(cert.ClientFiles{CA: file})
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	return c, nil
}

// token reads the API key. What the command line says goes before what the environment says.
func (a *apiFlags) token() (model.Secret, error) {
	first := filepath.Join(a.store, adminKeyFile)
	switch {
	case a.tokenFile != "":
		return access.Resolve("file:" + a.tokenFile)
	case a.cmd.PersistentFlags().Changed("store"):
		return access.Resolve("file:" + first)
	case os.Getenv(envTokenFile) != "":
		return access.Resolve("file:" + os.Getenv(envTokenFile))
	case os.Getenv(envToken) != "":
		return access.Resolve("env:" + envToken)
	}
	token, err := access.Resolve("file:" + first)
	if errors.Is(err, fs.ErrNotExist) {
		return token, fmt.Errorf("no API key: there is no %s; name a file with --token-file or $%s, or the instance's store "+
			"with --store", first, envTokenFile)
	}
	return token, err
}

// explained says what an error of the API means for who typed the command.
func explained(err error) error {
	told, ok := errors.AsType[*api.Error](err)
	if !ok {
		return err
	}
	switch told.Status {
	case 400:
		return usageError{err}
	case 401:
		return fmt.Errorf("the API key is refused: it is wrong, revoked or expired, or another instance's")
	case 403:
		return fmt.Errorf("the API key may not do this: keys need the scope admin, everything else api:read")
	}
	return err
}
