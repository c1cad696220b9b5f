package dynamic

import (
	"slices"
	"strings"
)

// TagLabels returns the labels that tags are: those that are key=value.
func TagLabels(tags []string) map[string]string {
	labels := make(map[string]string, len(tags))
	for _, tag := range tags {
		if key, value, ok := strings.Cut(tag, "="); ok {
			labels[key] = value
		}
	}
	return labels
}

// MayServe reports whether workloads with these tags may be served. It spares the question for those that may not.
func (w *Workloads) MayServe(tags []string) bool {
	return w.options.ExposedByDefault || slices.ContainsFunc(tags, func(tag string) bool {
		return slices.ContainsFunc(w.options.Prefixes, func(prefix string) bool {
			_, ok := cutPrefixFold(tag, prefix+".")
			return ok
		})
	})
}
