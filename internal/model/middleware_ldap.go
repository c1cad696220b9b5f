package model

import "time"

// LDAP admits requests with a user's name and password (RFC 7617) that an LDAP server takes (RFC 4511).
type LDAP struct {
	URL      string         `json:"url"`                // ldap or ldaps
	StartTLS bool           `json:"startTLS,omitempty"` // of ldap
	Server   IdentityServer `json:"server,omitzero"`
	// BindDN and BindPassword are who this instance is to the server when it looks for users and groups. "": nobody.
	BindDN       string `json:"bindDN,omitempty"`
	BindPassword Secret `json:"bindPassword,omitzero"`
	// BaseDN is what users are under. With a Filter, in which %s is the user's name, they are searched for there; one
	// entry must be found. Else a user is Attribute=name,BaseDN.
	BaseDN    string `json:"baseDN"`
	Attribute string `json:"attribute,omitempty"` // "" is cn
	Filter    string `json:"filter,omitempty"`
	// Groups are the names of entries; a user must belong to one. nil: to none. GroupFilter says what a group has of its
	// members, with %d for the name of the user's entry and %s for the user's name; "" is the usual attributes.
	Groups      []string `json:"groups,omitempty"`
	GroupFilter string   `json:"groupFilter,omitempty"`
	// Keep is how long it is remembered that a password was right. 0 is 10 s; below 0: not at all.
	Keep  time.Duration `json:"keep,omitempty"`
	Pool  LDAPPool      `json:"pool,omitzero"`
	Realm string        `json:"realm,omitempty"` // "" is "fairlead"
	Mute  bool          `json:"mute,omitempty"`  // do not ask clients for a password
	// NameHeader tells the service the user's name: as the client writes it, or NameAttribute of the entry that Filter
	// finds. "": it is not told.
	NameHeader        string `json:"nameHeader,omitempty"`
	NameAttribute     string `json:"nameAttribute,omitempty"`
	KeepAuthorization bool   `json:"keepAuthorization,omitempty"` // leave the password in what the service sees
}

// LDAPPool bounds the connections to a server.
type LDAPPool struct {
	Size  int           `json:"size,omitempty"`  // so many are kept for later; 0 is 10
	Burst int           `json:"burst,omitempty"` // so many more may be open at once; 0 is 5, below 0 is none
	TTL   time.Duration `json:"ttl,omitempty"`   // the age at which a connection is not used again; 0 is 1 min
}
