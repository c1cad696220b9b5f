package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// format is how a command writes what it found. It is a flag.
type format string

const (
	asTable format = "table"
	asJSON  format = "json"
	asYAML  format = "yaml"
)

// addFormatFlag gives a command, and those below it, the flag --output.
func addFormatFlag(cmd *cobra.Command) *format {
	f := asTable
	cmd.PersistentFlags().VarP(&f, "output", "o", "table, json or yaml")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(
		[]string{string(asTable), string(asJSON), string(asYAML)}, cobra.ShellCompDirectiveNoFileComp))
	return &f
}

// String is part of pflag.Value.
func (f *format) String() string { return string(*f) }

// Type is part of pflag.Value.
func (f *format) Type() string { return "format" }

// Set is part of pflag.Value.
func (f *format) Set(s string) error {
	if !slices.Contains([]format{asTable, asJSON, asYAML}, format(s)) {
		return fmt.Errorf("there are table, json and yaml")
	}
	*f = format(s)
	return nil
}

// write writes v, or what table writes.
func (f *format) write(w io.Writer, v any, table func(io.Writer) error) error {
	if *f == asTable {
		return table(w)
	}
	data, err := json.MarshalIndent(v, "", "  ")
	if err == nil && *f == asYAML {
		data, err = yaml.JSONToYAML(data)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", *f, err)
	}
	_, err = fmt.Fprintln(w, strings.TrimSuffix(string(data), "\n"))
	return err
}

// writeTable writes aligned columns.
func writeTable(w io.Writer, header []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, row := range slices.Concat([][]string{header}, rows) {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cells[i] = printable(cell); cell == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

// printable replaces what a terminal might act on: texts come from other clusters, too.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// since tells how long ago a moment was; "" for none.
func since(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return span(now.Sub(t))
}

// span tells a length of time as people do, in one unit or two.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return "0s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	default:
		return fmt.Sprintf("%dd", d/day)
	}
}

// percent tells a part of a hundred without needless digits.
func percent(x float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0") + "%"
}
