package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What the code knows, the pages have: each finds words in Go files, which must stand in back quotes on a page.
func TestDocumentsAreComplete(t *testing.T) {
	const tag = `doc:"(\w+)"`
	type check struct{ files, word, page string }
	checks := []check{
		{"internal/config/[^p]*.go", tag, "docs/configuration.md"},
		{"internal/config/provider.go", tag, "docs/configuration.md"},
		{"internal/dynamic/router.go", tag, "docs/routes.md"},
		{"internal/dynamic/tls*.go", tag, "docs/tls.md"},
		{"internal/dynamic/service.go", tag, "docs/routes.md"},
		{"internal/dynamic/service_choice.go", tag, "docs/services.md"},
		{"internal/dynamic/sticky.go", tag, "docs/services.md"},
		{"internal/dynamic/loadbalancer.go", tag, "docs/routes.md"},
		{"internal/dynamic/healthcheck.go", tag, "docs/routes.md"},
		{"internal/dynamic/middleware.go", `"(\w+)": +func\(\) middlewareSpec`, "docs/middlewares/README.md"},
		{"internal/dynamic/rule_value.go", `\{model\.(\w+), \d`, "docs/routes.md"},
		{"internal/model/problem.go", ` Code = "(\w+)"`, "docs/routes.md"},
		{"internal/proxy/exchange.go", `reason\w+ += "(\w+)"`, "docs/operation.md"},
		{"internal/middleware/*.go", `(?:refuse|setReason)\(w.*"(\w+)"\)`, "docs/operation.md"},
		{"internal/telemetry/metrics.go", `(?:counters|gauges)\("(\w+)"`, "docs/operation.md"},
		{"internal/telemetry/line.go", `JSON(?:Field|Number)\(b, "(\w+)"`, "docs/operation.md"},
		{"internal/access/scope.go", `Scope = "([\w:]+)`, "docs/keys.md"},
		{"cmd/fairlead/kind.go", `\{"(\w+)", "`, "docs/operation.md"},
	}
	kinds, err := filepath.Glob("../../internal/dynamic/middleware_*.go")
	if err != nil || len(kinds) == 0 {
		t.Fatal(kinds, err)
	}
	for _, file := range kinds { // each has a page of its own
		kind := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "middleware_"), ".go")
		checks = append(checks, check{"internal/dynamic/middleware_" + kind + ".go", tag, "docs/middlewares/" + kind + ".md"})
	}
	providers, err := filepath.Glob("../../internal/config/provider_*.go")
	if err != nil || len(providers) == 0 {
		t.Fatal(providers, err)
	}
	for _, file := range providers { // and so has each kind of provider
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		kind := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "provider_"), ".go")
		checks = append(checks, check{"internal/config/provider_" + kind + ".go", tag, "docs/providers/" + kind + ".md"})
	}
	for _, c := range checks {
		page := read(t, c.page)
		for _, word := range wordsIn(t, c.files, regexp.MustCompile(c.word)) {
			if !regexp.MustCompile("`[^`\n]*\\b"+regexp.QuoteMeta(word)+"\\b[^`\n]*`").MatchString(page) &&
				!strings.Contains(page, "fairlead_"+word) && !strings.Contains(page, "["+word+"]") {
				t.Errorf("%s does not say what %s is (%s)", c.page, word, c.files)
			}
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// wordsIn returns what an expression finds in files of the product.
func wordsIn(t *testing.T, pattern string, word *regexp.Regexp) (words []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("../..", pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range word.FindAllStringSubmatch(string(text), -1) {
			words = append(words, found[1])
		}
	}
	if len(words) == 0 {
		t.Errorf("%s: nothing is found in %s", word, pattern)
	}
	slices.Sort(words)
	return slices.Compact(words)
}

var (
	markdownLink    = regexp.MustCompile(`\]\(([^)\s#]*)(?:#([^)\s]*))?\)`)
	markdownHeading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInAnchor     = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// Every link of a page leads to a file, and to a heading in it.
func TestDocumentsLinkToWhatIsThere(t *testing.T) {
	for _, folder := range []string{"", "docs", "docs/*", "examples", "examples/*"} {
		pages, err := filepath.Glob(filepath.Join("../..", folder, "*.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			for _, link := range markdownLink.FindAllStringSubmatch(string(text), -1) {
				if !strings.Contains(link[1], ":") {
					followLink(t, page, link[1], link[2])
				}
			}
		}
	}
}

func followLink(t *testing.T, page, to, heading string) {
	t.Helper()
	target := page
	if to != "" {
		target = filepath.Join(filepath.Dir(page), to)
	}
	if _, err := os.Stat(target); err != nil {
		t.Errorf("%s: %v", page, err)
		return
	}
	if heading == "" {
		return
	}
	text, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range markdownHeading.FindAllStringSubmatch(string(text), -1) {
		anchor := notInAnchor.ReplaceAllString(strings.ToLower(found[1]), "")
		if strings.ReplaceAll(anchor, " ", "-") == heading {
			return
		}
	}
	t.Errorf("%s: there is no heading #%s in %s", page, heading, target)
}
