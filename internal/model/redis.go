package model

import "time"

// Redis is a server, or a cluster of them, in which several instances keep what they share.
type Redis struct {
	Endpoints []string   `json:"endpoints,omitempty"` // host:port; nil is 127.0.0.1:6379, several are one cluster
	TLS       *ClientTLS `json:"tls,omitempty"`       // nil: plain text
	Username  string     `json:"username,omitempty"`
	Password  Secret     `json:"password,omitzero"`
	DB        int        `json:"db,omitempty"`

	PoolSize       int `json:"poolSize,omitempty"`       // connections; 0 is ten a core
	MinIdleConns   int `json:"minIdleConns,omitempty"`   // that are open even if nobody needs them
	MaxActiveConns int `json:"maxActiveConns,omitempty"` // 0: no limit beside PoolSize

	// Of one command. 0 is 500 ms, and 1 s to connect; -1: no limit.
	ReadTimeout  time.Duration `json:"readTimeout,omitempty"`
	WriteTimeout time.Duration `json:"writeTimeout,omitempty"`
	DialTimeout  time.Duration `json:"dialTimeout,omitempty"`
}
