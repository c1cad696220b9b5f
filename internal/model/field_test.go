package model

import "testing"

func TestCGIField(t *testing.T) {
	for name, want := range map[string]string{
		"X-Forwarded-For": "X-Forwarded-For", "X_forwarded_for": "X-Forwarded-For", "X.forwarded-For": "X-Forwarded-For",
		"X_forwarded.for": "X-Forwarded-For", "Xforwardedfor": "Xforwardedfor", "": "",
	} {
		if got := CGIField(name); got != want {
			t.Errorf("%q is read as %q, want %q", name, got, want)
		}
	}
}
