package config

import (
	"cmp"

	"github.com/fairlead/fairlead/internal/model"
)

// Provider is one place that the instance itself learns routes from: a [File], and so on, one type a kind.
type Provider interface {
	// Source returns the source of the provider's objects: its kind and its name, "file/main".
	Source() model.Source
}

// source returns the source of a provider. Kind is the key under providers.
func source(kind, name string) model.Source { return model.Source(kind + "/" + name) }

// File is a file provider.
type File struct {
	Name string `doc:"name"` // which of the file providers; default: "main"
	Place
	Watch bool `doc:"watch"` // read it again whenever it changes; default: true
}

// Place is what is read: exactly one of the two is set.
type Place struct {
	Filename  string `doc:"filename"`
	Directory string `doc:"directory"`
}

// Source returns the source of the provider's objects.
func (f File) Source() model.Source { return source("file", f.Name) }

// Path returns the file or folder to read.
func (p Place) Path() string { return cmp.Or(p.Directory, p.Filename) }

// ClientTLS is what a provider shows and trusts when it connects by TLS. The zero value trusts what the machine trusts,
// and shows nothing.
type ClientTLS struct {
	CA         string `doc:"ca"`   // certificates to trust instead of the machine's, PEM file
	Cert       string `doc:"cert"` // certificate to show, PEM file; "": none
	Key        string `doc:"key"`  // its key, PEM file
	ServerName string `doc:"serverName"`
	// InsecureSkipVerify believes whoever answers.
	InsecureSkipVerify bool `doc:"insecureSkipVerify"`
}
