package kv

import (
	"context"
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// Store is a key-value store.
type Store interface {
	// Follow tells all texts below the root, by their keys without it ("http/routers/a/rule"), when it starts and
	// after every change, until ctx is done. Each time they are what the store held at one moment. It returns an error
	// as soon as the store cannot be read, and the errors of tell.
	Follow(ctx context.Context, tell func(map[string]string) error) error
}

// What a store may make us hold.
const (
	maxKeys  = 200_000
	maxBytes = 32 << 20
)

// maxMistakes bounds how many keys that lead nowhere are told.
const maxMistakes = 100

// Provider makes snapshots of what a store holds.
type Provider struct {
	source model.Source
	root   string
	store  Store
}

// New returns a provider for the keys of a store below a root, "traefik". Objects belong to the source: "etcd/main".
func New(source model.Source, root string, store Store) *Provider {
	return &Provider{source, root, store}
}

// Run publishes what the store holds now and whenever it changes. It returns an error when the store cannot be read.
func (p *Provider) Run(ctx context.Context, publish func(model.Snapshot)) error {
	return p.store.Follow(ctx, func(texts map[string]string) error {
		if err := bound(texts); err != nil {
			return err
		}
		publish(p.snapshot(texts))
		return nil
	})
}

func bound(texts map[string]string) error {
	size := 0
	for key, text := range texts {
		size += len(key) + len(text)
	}
	if len(texts) > maxKeys || size > maxBytes {
		return fmt.Errorf("%d keys with %d KiB are below the root; at most %d keys with %d KiB are read",
			len(texts), size>>10, maxKeys, maxBytes>>10)
	}
	return nil
}

func (p *Provider) snapshot(texts map[string]string) model.Snapshot {
	root, mistakes := document.Flat(p.root, '/', texts)
	s := dynamic.Build(p.source, []*dynamic.Document{dynamic.DecodeTree(p.source, p.root, root)})
	for i, m := range mistakes {
		message := m.Message + "; it is left out"
		if i == maxMistakes {
			m.Field, message = "", fmt.Sprintf("%d more keys are left out", len(mistakes)-i)
		}
		s.Problems = append(s.Problems, model.Problem{
			Object: model.Object{Kind: model.KindSource, Ref: model.Ref{Source: p.source}},
			Field:  m.Field, Code: model.InvalidField, Message: message, At: m.At.String(),
		})
		if i == maxMistakes {
			break
		}
	}
	return s
}

// Below returns a key without the root above it, and false where it is not below the root, or is a folder: stores whose
// keys are texts have folders as keys that end with a slash.
func Below(root, key string) (string, bool) {
	rest, ok := strings.CutPrefix(key, root+"/")
	return rest, ok && rest != "" && !strings.HasSuffix(rest, "/")
}
