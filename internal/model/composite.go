package model

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Use says how a service uses its backends.
type Use string

// The uses.
const (
	ByWeight Use = ""         // each request goes to one of them, by weight
	ByClient Use = "client"   // to the one that the client's address belongs to, by weight
	Failover Use = "failover" // to the first that is up; the weights mean nothing
	Mirror   Use = "mirror"   // to the first, and copies to the others: weights are percent of the requests
)

// IsPlain reports whether the service is nothing but a choice by weight, so that its backends can stand in its place.
func (s *Service) IsPlain() bool {
	return len(s.Backends) > 0 && s.Use == ByWeight && !s.Aware && s.Sticky == nil && len(s.Middlewares) == 0
}

// FailOn makes answers count as failures: the request goes to the next backend, whatever its method.
type FailOn struct {
	Status []StatusRange `json:"status"`
	// MaxBodyBytes is the size of the largest body that is kept to be sent again. The answer to a request with a larger
	// one is the client's.
	MaxBodyBytes int64 `json:"maxBodyBytes"`
}

// Mirrored says what copies of requests have of them.
type Mirrored struct {
	NoBody bool `json:"noBody,omitempty"` // the body is left out
	// MaxBodyBytes is the size of the largest body of which there are copies.
	MaxBodyBytes int64 `json:"maxBodyBytes,omitempty"`
}

// Sticky is a cookie that names where the requests of a session go.
type Sticky struct {
	Name     string `json:"name"`
	Path     string `json:"path,omitempty"`
	Domain   string `json:"domain,omitempty"`
	SameSite string `json:"sameSite,omitempty"` // "none", "lax", "strict"; "": not said
	MaxAge   int    `json:"maxAge,omitempty"`   // seconds; 0: until the browser ends; below 0: no longer than the answer
	Secure   bool   `json:"secure,omitempty"`
	HTTPOnly bool   `json:"httpOnly,omitempty"`
}

// Fault is what is wrong with one field, for people.
type Fault struct{ Field, Message string }

// Faults returns what no cookie can have, as the fields are written.
func (s *Sticky) Faults() (faults []Fault) {
	if c := (http.Cookie{Name: s.Name, Value: "x"}); c.Valid() != nil {
		faults = append(faults, Fault{"name", fmt.Sprintf("%q is not the name of a cookie", s.Name)})
	}
	switch strings.ToLower(s.SameSite) {
	case "", "none", "lax", "strict":
	default:
		faults = append(faults, Fault{
			"sameSite", fmt.Sprintf("%q is not known; it is one of none, lax and strict", s.SameSite),
		})
	}
	if err := (&http.Cookie{Name: "a", Value: "b", Path: s.Path}).Valid(); err != nil {
		faults = append(faults, Fault{"path", fmt.Sprintf("a cookie cannot have this; %s", err)})
	}
	if err := (&http.Cookie{Name: "a", Value: "b", Domain: s.Domain}).Valid(); err != nil {
		faults = append(faults, Fault{"domain", fmt.Sprintf("a cookie cannot have this; %s", err)})
	}
	return faults
}

// CookieName is what the cookie for something of a name is called where nobody cares.
func CookieName(name string) string {
	sum := fnv.New64a()
	sum.Write([]byte(name))
	return "_" + strconv.FormatUint(sum.Sum64()&0xffffffff, 16)
}

// Passive puts an endpoint out for Window after so many failures in a row within Window. Answers of 500 and above are
// failures, too.
type Passive struct {
	Failures int           `json:"failures"`
	Window   time.Duration `json:"window"`
}
