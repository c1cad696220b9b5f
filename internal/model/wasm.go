package model

import "time"

// WASM lets a plug-in see and change requests and answers.
type WASM struct {
	Code        string        `json:"-"`                     // the module: it is no text
	Sum         string        `json:"sum,omitempty"`         // its SHA-256
	Config      Secret        `json:"config,omitzero"`       // what the plug-in can ask for
	MemoryBytes int64         `json:"memoryBytes,omitempty"` // of each instance; 0 is 64 MiB
	Timeout     time.Duration `json:"timeout,omitempty"`     // of each call; 0 is 1 s
}
