package lab

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// namespace is a network namespace, a link to it, and a range of addresses behind it. Neither the firewall nor the
// addresses of what runs in it reach the machine's.
type namespace struct {
	t      testing.TB
	number int // of those that the machine has now, whichever suite made them
	name   string
}

// namespaces is how many there can be at a time. Each has an address of 10.247.0.0/16 and a half of 10.N.0.0/16.
const namespaces = 16

// newNamespace takes the first number that nobody has: making a namespace fails where its name is taken.
func newNamespace(t testing.TB) *namespace {
	t.Helper()
	var out []byte
	for number := range namespaces {
		n := &namespace{t: t, number: number, name: fmt.Sprintf("lab%d", number)}
		var err error
		if out, err = exec.Command("ip", "netns", "add", n.name).CombinedOutput(); err == nil {
			n.link()
			return n
		}
	}
	t.Fatalf("no network namespace can be made; those that a killed test left are removed with ip netns del: %s", out)
	return nil
}

// link makes it reachable from here, and everything else unreachable from there.
func (n *namespace) link() {
	n.t.Helper()
	for _, command := range []string{
		"ip link add " + n.name + " type veth peer name eth0 netns " + n.name,
		"ip addr add " + n.outside() + "/30 dev " + n.name,
		"ip link set " + n.name + " up",
		"ip -n " + n.name + " addr add " + n.address() + "/30 dev eth0",
		"ip -n " + n.name + " link set eth0 up",
		"ip -n " + n.name + " link set lo up",
		"ip -n " + n.name + " route add unreachable default metric 1000",
		"ip route add " + n.part("0.0/17") + " via " + n.address(),
	} {
		must(n.t, strings.Fields(command)...)
	}
}

// join lets two namespaces reach each other, by a link of their own.
func (n *namespace) join(o *namespace) {
	n.t.Helper()
	to, from := fmt.Sprintf("to%d", o.number), fmt.Sprintf("to%d", n.number)
	for _, command := range []string{
		"ip -n " + n.name + " link add " + to + " type veth peer name " + from + " netns " + o.name,
		"ip -n " + n.name + " link set " + to + " up",
		"ip -n " + o.name + " link set " + from + " up",
		"ip -n " + n.name + " route add " + o.address() + " dev " + to + " src " + n.address(),
		"ip -n " + o.name + " route add " + n.address() + " dev " + from + " src " + o.address(),
	} {
		must(n.t, strings.Fields(command)...)
	}
}

// outside and address are the two ends of the link.
func (n *namespace) outside() string { return fmt.Sprintf("10.247.%d.1", n.number) }
func (n *namespace) address() string { return fmt.Sprintf("10.247.%d.2", n.number) }

// part returns a part of the namespace's range, given as the end of an address: "32.0/19".
func (n *namespace) part(end string) string {
	third, rest, _ := strings.Cut(end, ".")
	var block int
	_, _ = fmt.Sscan(third, &block)
	return fmt.Sprintf("10.%d.%d.%s", 248+n.number/2, n.number%2*128+block, rest)
}

// enter returns a command line that runs in the namespace. Not by "ip netns exec", which mounts /sys anew, without the
// control groups.
func (n *namespace) enter(args ...string) []string {
	return append([]string{"nsenter", "--net=/var/run/netns/" + n.name}, args...)
}

// remove takes the link away first, and the routes to it: those of a namespace go some time after it, and its number
// may be taken at once.
func (n *namespace) remove() {
	_ = exec.Command("ip", "link", "del", n.name).Run()
	_ = exec.Command("ip", "netns", "del", n.name).Run()
}

// must runs a command, and returns what it prints.
func must(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}
