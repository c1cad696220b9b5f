package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// The types below are texts that must have a certain form. Decoding checks it, so that a mistake carries its line.

// Address is an address to accept connections on, as net.Listen takes it: ":8080", "127.0.0.1:0". "": not given.
type Address string

// UnmarshalText reads an address. It may end in "/tcp".
func (a *Address) UnmarshalText(text []byte) error {
	s := strings.TrimSuffix(string(text), "/tcp")
	if strings.HasSuffix(s, "/udp") {
		return errors.New("only entry points can accept UDP")
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || !isPort(port) || host != "" && !isHost(host) {
		return fmt.Errorf(`%q is not an address; write "host:port" or ":port"`, shorten(s))
	}
	*a = Address(s)
	return nil
}

// EntryAddress is the address of an entry point: for UDP, where it ends in "/udp".
type EntryAddress struct {
	Address
	UDP bool
}

// UnmarshalText reads an address. It may end in "/tcp" or "/udp".
func (a *EntryAddress) UnmarshalText(text []byte) error {
	s, udp := strings.CutSuffix(string(text), "/udp")
	a.UDP = udp
	return a.Address.UnmarshalText([]byte(s))
}

// Loopback reports whether the address can be reached from this machine only.
func (a Address) Loopback() bool {
	host, _, _ := net.SplitHostPort(string(a))
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// clashes reports whether the two cannot be used at once.
func (a Address) clashes(b Address) bool {
	host, port, _ := net.SplitHostPort(string(a))
	other, otherPort, _ := net.SplitHostPort(string(b))
	return port != "" && port != "0" && port == otherPort && (host == other || isAny(host) || isAny(other))
}

func isAny(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

// Network is a range of addresses. A single address is a range of one.
type Network struct{ netip.Prefix }

// UnmarshalText reads "10.0.0.0/8" or "10.0.0.1".
func (n *Network) UnmarshalText(text []byte) error {
	if ip, err := netip.ParseAddr(string(text)); err == nil && ip.Zone() == "" {
		n.Prefix = netip.PrefixFrom(ip, ip.BitLen())
		return nil
	}
	prefix, err := netip.ParsePrefix(string(text))
	if err != nil {
		return fmt.Errorf(`%q is no range of addresses; write "10.0.0.1" or "10.0.0.0/8"`, shorten(string(text)))
	}
	n.Prefix = prefix.Masked()
	return nil
}

// Prefixes returns the ranges as the standard library has them.
func Prefixes(networks []Network) []netip.Prefix {
	var prefixes []netip.Prefix
	for _, n := range networks {
		prefixes = append(prefixes, n.Prefix)
	}
	return prefixes
}

// KeyRef says where a secret is kept. One of the fields is set.
type KeyRef struct {
	File string
	Env  string // the name of an environment variable
}

// UnmarshalText reads "file:/path" or "env:NAME". The message never repeats the text, for it may be the secret itself.
func (k *KeyRef) UnmarshalText(text []byte) error {
	kind, value, _ := strings.Cut(string(text), ":")
	switch {
	case kind == "file" && value != "":
		k.File = value
	case kind == "env" && value != "":
		k.Env = value
	default:
		return errors.New(`a secret must not stand in this file; write "file:/path" or "env:NAME"`)
	}
	return nil
}

// String returns the reference as access.Resolve reads it, with an absolute path.
func (k KeyRef) String() string {
	if k.Env != "" {
		return "env:" + k.Env
	}
	return "file:" + k.File
}

// CA says whose certificate a cluster must show. One of the fields is set.
type CA struct {
	File   string // certificates, PEM
	SHA256 string // of the CA's certificate (DER), hexadecimal in lower case
}

// UnmarshalText reads a path, or "sha256:" and 64 hexadecimal digits.
func (c *CA) UnmarshalText(text []byte) error {
	pin, ok := strings.CutPrefix(string(text), "sha256:")
	if !ok && pin != "" {
		c.File = pin
		return nil
	}
	if sum, err := hex.DecodeString(pin); err != nil || len(sum) != 32 {
		return errors.New(`write the path of a PEM file, or "sha256:" and 64 hexadecimal digits`)
	}
	c.SHA256 = strings.ToLower(pin)
	return nil
}

var dnsName = regexp.MustCompile(`^[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?` +
	`(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?)*\.?$`)

func isHost(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil || len(s) <= 253 && dnsName.MatchString(s)
}

// isHostPattern reports whether s is a host, "*." and a host, or "*".
func isHostPattern(s string) bool { return s == "*" || isHost(strings.TrimPrefix(s, "*.")) }

// isDial reports whether s is an address to connect to: "host:port".
func isDial(s string) bool {
	host, port, err := net.SplitHostPort(s)
	return err == nil && isPort(port) && port != "0" && isHost(host)
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// shorten keeps messages readable whatever a file holds.
func shorten(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
