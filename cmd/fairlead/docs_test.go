package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// The examples in the documents are read as the program reads them: a block of YAML that begins with "http:", "tcp:" or
// "udp:" is a file of routes, every other one is an instance's file, or a part of one.
func TestDocumentedExamples(t *testing.T) {
	pages := []string{"../../README.md"}
	err := filepath.WalkDir("../../docs", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			pages = append(pages, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range yamlBlocks(string(text)) {
			blocks++
			problems := instanceMistakes(t, block)
			if isRoutes(block) {
				problems = routeProblems(t, block)
			}
			if problems != "" {
				t.Errorf("%s: this example is mistaken:\n%s\n%s", page, block, problems)
			}
		}
	}
	if blocks < 20 {
		t.Errorf("only %d examples were found", blocks)
	}
}

// isRoutes reports whether a block is a file of routes.
func isRoutes(block string) bool {
	return strings.HasPrefix(block, "http:") || strings.HasPrefix(block, "tcp:") || strings.HasPrefix(block, "udp:")
}

var yamlBlock = regexp.MustCompile("(?ms)^( *)```yaml\n(.*?)^ *```")

// yamlBlocks returns the blocks of a page, those in lists without their indent.
func yamlBlocks(page string) (blocks []string) {
	for _, found := range yamlBlock.FindAllStringSubmatch(page, -1) {
		block := strings.ReplaceAll("\n"+found[2], "\n"+found[1], "\n")[1:]
		blocks = append(blocks, strings.ReplaceAll(block, "sha256:…", "sha256:"+strings.Repeat("0", 64)))
	}
	return blocks
}

// instanceMistakes reads a part of an instance's file; what a part cannot do without is added.
func instanceMistakes(t *testing.T, block string) string {
	t.Helper()
	if isRoutes(block) {
		return ""
	}
	if !strings.Contains("\n"+block, "\nentryPoints:") {
		block = "entryPoints: {web: {address: \":8000\"}}\n" + block
	}
	file := filepath.Join(t.TempDir(), "fairlead.yaml")
	if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(file); err != nil {
		return err.Error()
	}
	return ""
}

// pairText is a certificate and its key in one file.
func pairText(t *testing.T) string {
	t.Helper()
	der, key, err := selfSigned("shop.inside")
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

// routeProblems builds a file of routes, and what serves it. Services of followed clusters are not known here.
func routeProblems(t *testing.T, block string) string {
	t.Helper()
	doc, err := dynamic.Decode("file/main", "routes.yaml", []byte(block))
	if err != nil {
		return err.Error()
	}
	const source model.Source = "file/main"
	named := map[string]string{
		".users": "ann:{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc=\n", ".hashes": strings.Repeat("0", 64) + "\n",
		".pem": pairText(t), ".password": "secret\n",
		".secret": strings.Repeat("secret", 8) + "\n",
	}
	built := dynamic.Build(source, []*dynamic.Document{doc}, dynamic.WithFiles(func(name string) ([]byte, error) {
		if text, ok := named[filepath.Ext(name)]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}))
	merged := catalog.Merge(nil, map[model.Source]model.Snapshot{source: built})
	p, err := offlineProxy(&config.Config{EntryPoints: []config.EntryPoint{
		{Name: "web", AsDefault: true}, {Name: "websecure", AsDefault: true}, {Name: "postgres"},
		{Name: "dns", Address: config.EntryAddress{UDP: true}},
	}}, merged)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, problem := range append(merged.Problems, p.Problems()...) {
		if !aboutElsewhere(merged, problem) {
			text.WriteString(problem.String() + "\n")
		}
	}
	return text.String()
}

// The folders in examples are checked as their users would check them. Keys are in the environment.
func TestExamples(t *testing.T) {
	for _, name := range []string{"PARIS_KEY", "FRANKFURT_KEY"} {
		t.Setenv(name, "flk_example")
	}
	var files []string
	err := filepath.WalkDir("../../examples", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Base(path) == "fairlead.yaml" {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) < 6 {
		t.Fatalf("%d instance files in examples: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.ToSlash(strings.TrimPrefix(filepath.Dir(file), "../../examples")), func(t *testing.T) {
			var out bytes.Buffer
			if err := check(context.Background(), file, &out); err != nil {
				t.Errorf("%v\n%s", err, out.String())
			}
		})
	}
}
