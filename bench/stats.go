//go:build linux

package main

import (
	"slices"
	"time"
)

// median returns the middle of the values, or the mean of the two in the middle. Of none it is 0.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// ratio compares two proxies round by round: what drifts over minutes, because others use the machine too, is in both
// values of a pair and cancels out. It returns the median of the pairs, and the lowest and the highest.
func ratio(ours, theirs []float64) (middle, low, high float64) {
	var pairs []float64
	for i := range min(len(ours), len(theirs)) {
		if ours[i] > 0 && theirs[i] > 0 {
			pairs = append(pairs, ours[i]/theirs[i])
		}
	}
	if len(pairs) == 0 {
		return 0, 0, 0
	}
	return median(pairs), slices.Min(pairs), slices.Max(pairs)
}

// percentile returns the value that p percent of the sorted values do not exceed.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(float64(len(sorted))*p/100+0.999999) - 1
	return sorted[min(max(rank, 0), len(sorted)-1)]
}
