//go:build linux

package main

import (
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{9, 1, 2, 4}, 3},
	} {
		if got := median(test.values); got != test.want {
			t.Errorf("median of %v: %v, want %v", test.values, got, test.want)
		}
	}
}

// The machine becomes twice as slow in the middle: the pairs do not notice, the medians of each side would.
func TestRatioCancelsDrift(t *testing.T) {
	ours, theirs := []float64{10, 10, 20, 20, 22}, []float64{20, 20, 40, 40, 40}
	middle, low, high := ratio(ours, theirs)
	if middle != 0.5 || low != 0.5 || high != 0.55 {
		t.Errorf("ratio %v (%v-%v), want 0.5 (0.5-0.55)", middle, low, high)
	}
	if middle, _, _ := ratio(ours, nil); middle != 0 {
		t.Errorf("ratio to nothing: %v, want 0", middle)
	}
	if middle, _, _ := ratio([]float64{4, 4}, []float64{0, 2}); middle != 2 {
		t.Errorf("a round without a value was not left out: %v", middle)
	}
}

func TestPercentile(t *testing.T) {
	var sorted []time.Duration
	for i := range 200 {
		sorted = append(sorted, time.Duration(i+1))
	}
	for p, want := range map[float64]time.Duration{0: 1, 50: 100, 99: 198, 100: 200} {
		if got := percentile(sorted, p); got != want {
			t.Errorf("percentile %v: %d, want %d", p, got, want)
		}
	}
	if got := percentile(nil, 99); got != 0 {
		t.Errorf("percentile of nothing: %v", got)
	}
}
