package model

// Buffering reads the request's body whole before it is forwarded, and the answer whole before it is sent. What is
// larger than a part kept in memory is kept in a file meanwhile. Sizes are in bytes.
type Buffering struct {
	MaxRequest  int64 `json:"maxRequest,omitempty"`  // larger requests get 413; 0 is 1 GiB
	MemRequest  int64 `json:"memRequest,omitempty"`  // in memory; 0 is 1 MiB
	MaxResponse int64 `json:"maxResponse,omitempty"` // in place of larger answers the client gets 500; 0: no limit
	MemResponse int64 `json:"memResponse,omitempty"` // in memory; 0 is 1 MiB
	// PassRequest and PassResponse stream the one or the other.
	PassRequest  bool `json:"passRequest,omitempty"`
	PassResponse bool `json:"passResponse,omitempty"`
	// Retry forwards the request again while it holds, of Attempts, ResponseCode and IsNetworkError; ten times at the
	// most. nil: never.
	Retry *Condition `json:"retry,omitempty"`
}
