package model

// WAF looks for attacks in requests, by rules in the language of ModSecurity.
type WAF struct {
	Detect       bool `json:"detect,omitempty"`       // only tell what would be refused
	NoCoreRules  bool `json:"noCoreRules,omitempty"`  // leave the OWASP core rule set out
	Paranoia     int  `json:"paranoia,omitempty"`     // level of the core rule set, 1 to 4; 0 is 1
	AnomalyScore int  `json:"anomalyScore,omitempty"` // of the core rule set, at which a request is refused; 0 is 5
	// Directives are added after those of the core rule set.
	Directives string `json:"directives,omitempty"`
	// BodyBytes is how much of a request's body is looked at; larger ones are refused. 0 is 128 KiB.
	BodyBytes int64 `json:"bodyBytes,omitempty"`
}
