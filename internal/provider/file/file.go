package file

import (
	"context"
	"log/slog"
	"slices"

	"github.com/fairlead/fairlead/internal/breath"
	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/folder"
)

// Config says what to read.
type Config struct {
	Source model.Source // who the objects belong to: "file/main"
	// Path is a file (.yml, .yaml, .toml or .json), or a folder whose files and subfolders are read.
	Path string
	// Once reads it when the provider starts, and not again. False: whenever it changes.
	Once bool
}

// Provider reads a file or a folder. It remembers the last good content of every file from run to run.
type Provider struct {
	source model.Source
	files  *folder.Reader[dynamic.Document]
	told   bool // something may be served
}

// New returns a provider for one file or folder.
func New(c Config, log *slog.Logger) *Provider {
	p := &Provider{source: c.Source}
	p.files = folder.New(folder.Config[dynamic.Document]{
		Source: c.Source, Path: c.Path, Once: c.Once, Extensions: []string{".yml", ".yaml", ".toml", ".json"},
		Decode: p.decode, Names: (*dynamic.Document).Files,
	}, log)
	return p
}

// Run publishes what the path holds, now and whenever it changes. It returns an error when the path, or a folder
// below it, cannot be read.
func (p *Provider) Run(ctx context.Context, publish func(model.Snapshot)) error {
	documents := dynamic.NewDocuments(p.source)
	return p.files.Run(ctx, func(v folder.View[dynamic.Document]) {
		s := documents.Build(v.Documents(), dynamic.WithFiles(v.Attachment))
		s.Problems = slices.Concat(s.Problems, v.Problems()) // a list of its own
		p.breathe()
		publish(s)
		p.told = true
	})
}

// decode reads a file.
func (p *Provider) decode(name string, data []byte) (*dynamic.Document, error) {
	p.breathe()
	root, err := document.Parse(name, data)
	if err != nil {
		return nil, err
	}
	p.breathe()
	d := dynamic.DecodeTree(p.source, name, root)
	p.breathe()
	return d, nil
}

// breathe keeps nobody waiting before there is anything to be served.
func (p *Provider) breathe() {
	if p.told {
		breath.Take()
	}
}
