package model

// AddPrefix puts a prefix before the path.
type AddPrefix struct {
	Prefix string `json:"prefix"` // decoded; begins with "/"
}

// ReplacePath gives every request the same path, and tells the service the one before in X-Replaced-Path.
type ReplacePath struct {
	Path string `json:"path"` // as it is sent, escapes included; begins with "/"
}

// ReplacePathRegex replaces what the expression matches in the path, and tells the service the path before in
// X-Replaced-Path. The expression sees the path as it is sent, escapes included. A path that does not match stays.
type ReplacePathRegex struct {
	Regex       string `json:"regex"`
	Replacement string `json:"replacement,omitempty"` // may name groups: ${1}
}

// StripPrefix removes the first of the prefixes that the path has, and tells the service in X-Forwarded-Prefix.
type StripPrefix struct {
	Prefixes []string `json:"prefixes"`
	// KeepEmpty leaves an empty path empty, where otherwise it becomes "/".
	KeepEmpty bool `json:"keepEmpty,omitempty"`
}

// StripPrefixRegex removes the beginning of the path that the first of the expressions matches, and tells the service
// in X-Forwarded-Prefix.
type StripPrefixRegex struct {
	Regex []string `json:"regex"`
}

// RedirectScheme sends the client to the same address with another scheme.
type RedirectScheme struct {
	Scheme    string `json:"scheme"`
	Port      string `json:"port,omitempty"` // "": the scheme's own
	Permanent bool   `json:"permanent,omitempty"`
}

// RedirectRegex sends the client to what its address becomes when the expression's matches are replaced. An address
// that does not match, or stays as it is, is served.
type RedirectRegex struct {
	Regex       string `json:"regex"`       // sees scheme://host[:port]/path?query
	Replacement string `json:"replacement"` // may name groups: ${1}
	Permanent   bool   `json:"permanent,omitempty"`
}

// EncodedCharacters refuses paths that hide one of these characters behind an escape, since proxies and services
// differ about what that means. All that is false is refused.
type EncodedCharacters struct {
	Slash        bool `json:"slash,omitempty"`        // %2F
	BackSlash    bool `json:"backSlash,omitempty"`    // %5C
	Null         bool `json:"null,omitempty"`         // %00
	Semicolon    bool `json:"semicolon,omitempty"`    // %3B
	Percent      bool `json:"percent,omitempty"`      // %25
	QuestionMark bool `json:"questionMark,omitempty"` // %3F
	Hash         bool `json:"hash,omitempty"`         // %23
}
