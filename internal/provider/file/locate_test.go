package file_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/file"
)

func TestLocate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "conf")
	must(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o700))
	write(t, filepath.Join(dir, "a.yaml"), routes("a", "both"))
	write(t, filepath.Join(dir, "b.json"), `{"http": }`)
	write(t, filepath.Join(dir, "sub", "c.yaml"), "\n"+routes("both", "c"))
	p := file.New(file.Config{Source: source, Path: dir, Once: true}, slog.New(slog.DiscardHandler))
	locate := func(source model.Source, kind, name, field string) string {
		ref := model.Ref{Name: model.Name{Name: name}, Source: source}
		return p.Locate(model.Object{Kind: kind, Ref: ref}, field)
	}
	if at := locate(source, model.KindRoute, "a", ""); at != "" {
		t.Errorf("before anything is read: %q", at)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := p.Run(ctx, func(model.Snapshot) { cancel() }); ctx.Err() == nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		source            model.Source
		kind, name, field string
		want              string
	}{
		{source, model.KindRoute, "a", "services", "conf/a.yaml:3"},
		{source, model.KindRoute, "both", "rule", "conf/a.yaml:4"}, // as it is served
		{source, model.KindRoute, "c", "", "conf/sub/c.yaml:5"},
		{source, model.KindService, "c", "", "conf/sub/c.yaml:8"},
		{source, model.KindRoute, "d", "", ""},
		{"file/other", model.KindRoute, "a", "", ""},
	} {
		if at := locate(test.source, test.kind, test.name, test.field); at != test.want {
			t.Errorf("%s %s@%s: %q, want %q", test.kind, test.name, test.source, at, test.want)
		}
	}
}
