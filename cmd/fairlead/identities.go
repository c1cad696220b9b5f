package main

import (
	"crypto/tls"
	"fmt"

	"github.com/fairlead/fairlead/internal/cert"
	"github.com/fairlead/fairlead/internal/model"
)

// identities are who the instance is by SPIFFE: to the workload API, and in the meshes of its sources.
type identities struct {
	workload model.Workload // nil: no API is asked
	members  map[model.Source]*cert.Member
}

// ClientTLS is part of model.Workload.
func (i identities) ClientTLS(s model.SPIFFE) (*tls.Config, error) {
	if s.Mesh == "" {
		return s.Config(i.workload)
	}
	member, ok := i.members[s.Mesh]
	if !ok {
		return nil, fmt.Errorf("the instance is in no mesh of %s; its provider needs connectAware", s.Mesh)
	}
	return member.ClientTLS(s)
}
