package access

import (
	"fmt"
	"hash/crc32"
	"regexp"
	"strings"
	"testing"
)

// scanner is the expression of the package comment.
var scanner = regexp.MustCompile(`\bflk_[a-z2-7]{12}_[a-z2-7]{52}_[0-9a-f]{8}\b`)

func TestFormat(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		id, secret := newID(), newSecret()
		key := format(id, secret)
		gotID, gotSecret, ok := parse(key)
		if !ok || gotID != id || gotSecret != secret || seen[id] || seen[secret] {
			t.Fatalf("parse(%q) = %q, %q, %v", key, gotID, gotSecret, ok)
		}
		seen[id], seen[secret] = true, true
		if scanner.FindString("token: "+key+",") != key {
			t.Errorf("a scanner does not find %q", key)
		}
	}
}

// TestTypingErrors: any single character changed, lost, doubled or swapped with the next is noticed.
func TestTypingErrors(t *testing.T) {
	key := format(newID(), newSecret())
	for i := range len(key) {
		bad := []string{key[:i] + key[i+1:], key[:i+1] + key[i:], key[:i] + "x" + key[i+1:], key[:i] + "2" + key[i+1:]}
		if i+1 < len(key) {
			bad = append(bad, key[:i]+string(key[i+1])+string(key[i])+key[i+2:])
		}
		for _, b := range bad {
			if _, _, ok := parse(b); ok && b != key {
				t.Errorf("%q passes for %q", b, key)
			}
		}
	}
}

// TestKnownKey pins the format: keys that people hold must stay good.
func TestKnownKey(t *testing.T) {
	id, secret := strings.Repeat("a", idLen), strings.Repeat("b", secretLen)
	const want = "flk_aaaaaaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb_"
	key := format(id, secret)
	if sum := crc32.ChecksumIEEE([]byte(key[:sumAt])); key != fmt.Sprintf("%s%08x", want, sum) {
		t.Errorf("format = %q", key)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(format(newID(), newSecret()))
	f.Add("flk_")
	f.Add(strings.Repeat("_", keyLen))
	f.Fuzz(func(t *testing.T, key string) {
		id, secret, ok := parse(key)
		if ok && (format(id, secret) != key || !scanner.MatchString(key)) {
			t.Errorf("parse(%q) = %q, %q", key, id, secret)
		}
		if !ok && id+secret != "" {
			t.Errorf("parse(%q) gives parts of what it refuses", key)
		}
	})
}
