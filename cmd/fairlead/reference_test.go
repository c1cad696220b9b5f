package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write what is expected: docs/reference/cli.md, and files in the scripts")

// docs/reference/cli.md is made of the commands themselves.
func TestReference(t *testing.T) {
	const page = "../../docs/reference/cli.md"
	var b strings.Builder
	b.WriteString(`# Commands

` + "```sh" + `
fairlead serve                 # run the instance that ./fairlead.yaml describes
fairlead check                 # find every mistake in its files
fairlead get routes            # ask the running instance
` + "```" + `

This page is made of the commands themselves. Every command has ` + "`--help`" + ` (` + "`-h`" + `).

Exit codes: 0, done; 1, tried and failed, or found to be wrong; 2, the command line cannot be understood.
`)
	root := newRoot()
	root.InitDefaultCompletionCmd()
	describe(&b, root)
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("go test ./cmd/fairlead -run TestReference -update writes it anew (-page +commands):\n%s", diff)
	}
}

// describe writes a command and those below it.
func describe(b *strings.Builder, cmd *cobra.Command) {
	if cmd.HasParent() {
		fmt.Fprintf(b, "\n## %s\n\n%s.\n", cmd.CommandPath(), strings.TrimSuffix(cmd.Short, "."))
		if cmd.Runnable() {
			fmt.Fprintf(b, "\n```\n%s\n```\n", cmd.UseLine())
		}
		if cmd.Long != "" && cmd.Parent().Name() != "completion" {
			fmt.Fprintf(b, "\n%s\n", asMarkdown(cmd.Long))
		}
		if cmd.Example != "" {
			fmt.Fprintf(b, "\n```sh\n%s\n```\n", strings.ReplaceAll(strings.TrimPrefix(cmd.Example, "  "), "\n  ", "\n"))
		}
		writeFlags(b, cmd.NonInheritedFlags())
		if cmd.HasInheritedFlags() {
			fmt.Fprintf(b, "\nThe flags of `%s` as well.\n", cmd.Parent().CommandPath())
		}
	}
	for _, below := range cmd.Commands() {
		if below.Name() != "help" {
			describe(b, below)
		}
	}
}

// asMarkdown keeps lists, which commands write indented, as they are.
func asMarkdown(long string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(long)) {
		if strings.HasPrefix(line, "  ") {
			line = "  " + line // four columns: text as it is
		}
		b.WriteString(line)
	}
	return b.String()
}

func writeFlags(b *strings.Builder, flags *pflag.FlagSet) {
	var rows []string
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		fallback := "`" + f.DefValue + "`"
		if f.DefValue == "" || f.DefValue == "[]" {
			fallback = ""
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |\n", name, strings.ReplaceAll(f.Usage, "|", `\|`), fallback))
	})
	if len(rows) > 0 {
		fmt.Fprintf(b, "\n| flag | meaning | default |\n|---|---|---|\n%s", strings.Join(rows, ""))
	}
}
