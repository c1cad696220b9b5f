package tidy

import (
	"go/ast"
	"path"
	"slices"
	"strings"
)

func wordRules() []rule {
	return []rule{
		{"package name", "a name that says nothing attracts everything", checkPackageNames},
		{"default", "what the whole process shares cannot be configured, counted or stopped for one instance", checkDefaults},
		{
			"sleep", "a test that sleeps is slow on every machine and wrong on some; use testing/synctest or a channel",
			checkSleeps,
		},
		{"path of a machine", "the project runs on other machines than this one", checkPaths},
	}
}

var emptyNames = []string{
	"base", "common", "helper", "helpers", "manager", "managers", "misc", "shared", "type", "types", "util", "utils",
}

func checkPackageNames(tr *tree, report report) {
	for _, fo := range tr.folders {
		first := fo.files[0].syntax
		for _, name := range []string{first.Name.Name, path.Base(fo.path)} {
			if slices.Contains(emptyNames, name) {
				report(tr.at(first.Package), "a package called %s", name)
				break
			}
		}
	}
}

// defaults are the process-wide objects of other packages, and what uses them silently. No name: the whole package.
var defaults = map[string][]string{
	"log": nil,
	"log/slog": {
		"Default", "SetDefault", "With", "Log", "LogAttrs", "Debug", "DebugContext", "Info", "InfoContext",
		"Warn", "WarnContext", "Error", "ErrorContext",
	},
	"net/http": {
		"DefaultClient", "DefaultTransport", "DefaultServeMux", "Get", "Head", "Post", "PostForm", "Handle", "HandleFunc",
	},
	"net/http/pprof": nil,
	"expvar":         nil,
	"github.com/prometheus/client_golang/prometheus": {
		"DefaultRegisterer", "DefaultGatherer", "Register", "MustRegister", "Unregister",
	},
	"github.com/prometheus/client_golang/prometheus/promauto": nil,
	"github.com/prometheus/client_golang/prometheus/promhttp": {"Handler"},
}

func checkDefaults(tr *tree, report report) {
	eachImport(tr, func(_ *folder, _ *file, at place, target string) {
		if names, found := defaults[target]; found && names == nil {
			report(at, "imports %s", target)
		}
	})
	eachFile(tr, func(_ *folder, f *file) {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if from, name, ok := f.selector(n); ok && slices.Contains(defaults[from], name) {
				report(tr.at(n.Pos()), "uses %s.%s", path.Base(from), name)
			}
			return true
		})
	})
}

// checkSleeps allows sleeping on virtual time: in what is given to synctest.Test, and in the other functions of a file
// that uses it, which are called from there.
func checkSleeps(tr *tree, report report) {
	eachFile(tr, func(_ *folder, f *file) {
		if !f.test {
			return
		}
		virtual := slices.ContainsFunc(f.syntax.Imports, func(spec *ast.ImportSpec) bool {
			return spec.Path.Value == `"testing/synctest"`
		})
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				return !virtual || isEntry(n.Name.Name)
			case *ast.CallExpr:
				return !f.is(n.Fun, "testing/synctest", "Test")
			}
			if f.is(n, "time", "Sleep") {
				report(tr.at(n.Pos()), "time.Sleep")
			}
			return true
		})
	})
}

// isEntry reports whether go test calls a function of that name.
func isEntry(name string) bool {
	return slices.ContainsFunc([]string{"Test", "Benchmark", "Fuzz", "Example"}, func(prefix string) bool {
		return strings.HasPrefix(name, prefix)
	})
}

func checkPaths(tr *tree, report report) {
	machine := []string{"/root/", "/work/"}
	for _, content := range tr.texts {
		if !strings.HasPrefix(content.path, "test/") {
			findPaths(content, machine, report)
		}
	}
	eachFile(tr, func(_ *folder, f *file) {
		if !f.test && !strings.HasPrefix(f.path, "test/") {
			findPaths(f.text, append(machine, "/tmp/"), report)
		}
	})
}

func findPaths(content text, machine []string, report report) {
	number := 0
	for line := range strings.Lines(content.content) {
		number++
		for _, prefix := range machine {
			if strings.Contains(line, prefix) {
				report(place{content.path, number}, "names %s", prefix)
			}
		}
	}
}
