package services

import (
	"context"
	"log/slog"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/folder"
)

// Config says what to read.
type Config struct {
	Source model.Source // who the objects belong to: "services/main"
	// Path is a file (.json, .yml or .yaml), or a folder whose files and subfolders are read.
	Path    string
	Options dynamic.WorkloadOptions
}

// Provider reads a file or a folder.
type Provider struct {
	source    model.Source
	files     *folder.Reader[content]
	workloads *dynamic.Workloads
	exposed   bool // what does not say so is served, too
}

// New returns a provider for one file or folder. The error is about the options.
func New(c Config, log *slog.Logger) (*Provider, error) {
	w, err := dynamic.NewWorkloads(c.Source, c.Options)
	if err != nil {
		return nil, err
	}
	p := &Provider{source: c.Source, workloads: w, exposed: c.Options.ExposedByDefault}
	p.files = folder.New(folder.Config[content]{
		Source: c.Source, Path: c.Path, Extensions: []string{".json", ".yml", ".yaml", ".hcl"}, Decode: p.decode,
	}, log)
	return p, nil
}

// Run publishes what the files say, now and whenever they change. It returns an error when the path, or a folder below
// it, cannot be read.
func (p *Provider) Run(ctx context.Context, publish func(model.Snapshot)) error {
	return p.files.Run(ctx, func(v folder.View[content]) {
		var list []dynamic.Workload
		problems := v.Problems()
		for _, c := range v.Documents() {
			list = append(list, c.workloads...)
			for _, problem := range c.problems {
				problem.Object.Source = p.source
				problems = append(problems, problem)
			}
		}
		s := p.workloads.Build(list)
		s.Problems = append(s.Problems, problems...)
		s.Sort()
		publish(s)
	})
}
