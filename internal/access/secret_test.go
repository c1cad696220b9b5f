package access

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestResolve(t *testing.T) {
	folder := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return "file:" + path
	}
	t.Setenv("FAIRLEAD_TEST_SECRET", "from the environment\n")
	t.Setenv("FAIRLEAD_TEST_EMPTY", " ")
	for _, c := range []struct{ ref, want, err string }{
		{file("good", "s3cret\n", 0o600), "s3cret", ""},
		{file("group", "s3cret", 0o640), "s3cret", ""},
		{"env:FAIRLEAD_TEST_SECRET", "from the environment", ""},
		{file("world", "s3cret", 0o644), "", "chmod o= " + folder + "/world"},
		{file("writable", "s3cret", 0o602), "", "chmod"},
		{file("empty", " \n", 0o600), "", "is empty"},
		{file("large", strings.Repeat("s3cret", 1<<14), 0o600), "", "more than 65536 bytes"},
		{"file:" + folder, "", "is not a file"},
		{"file:" + folder + "/none", "", "no such file"},
		{"env:FAIRLEAD_TEST_EMPTY", "", "not set or empty"},
		{"env:FAIRLEAD_TEST_NONE", "", "FAIRLEAD_TEST_NONE is not set"},
		{"env:", "", "file:/path"},
		{"file:", "", "file:/path"},
		{"", "", "file:/path"},
		{"s3cret", "", "not as its own text"},
		{"vault:s3cret", "", "not as its own text"},
	} {
		secret, err := Resolve(c.ref)
		if secret.Reveal() != c.want || (err == nil) != (c.err == "") {
			t.Errorf("Resolve(%q) = %q, %v", c.ref, secret.Reveal(), err)
		}
		if err != nil && (!strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "s3cret")) {
			t.Errorf("Resolve(%q): %v, want %q", c.ref, err, c.err)
		}
	}
}
