package kv_test

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/test/instance"
)

// failover are a master, its replica, and the sentinels that see to it that one of them is the master.
type failover struct {
	folder    string
	servers   [2]string // addresses; the first is the master in the beginning
	stop      [2]func()
	sentinels [3]string
}

// The master is killed and its replica takes its place: nothing is lost, and what is written there is seen.
func TestSentinels(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	program := instance.Program(t)
	f := newFailover(t)
	reader, _ := section(t, "Redis")
	asker, settings := section(t, "Redis with sentinels")
	for _, server := range f.servers {
		f.do(t, server, reader)
	}
	for _, sentinel := range f.sentinels {
		f.do(t, sentinel, asker)
	}
	f.put(t, f.servers[0], "http/routers/shop/rule", "Host(`shop.example`)")
	f.put(t, f.servers[0], "http/routers/shop/service", "shop")
	f.put(t, f.servers[0], "http/services/shop/loadbalancer/servers/0/url", service(t, "one"))
	f.do(t, f.servers[0], "redis-cli WAIT 1 30000 | grep -qx 1")
	values := map[string]string{"PROVIDERS": placed(t, settings, f.sentinels[0]), "SERVICE": "http://unused"}
	if err := instance.Lay(f.folder, "testdata", values); err != nil {
		t.Fatal(err)
	}
	i := instance.StartIn(t, program, f.folder)
	says(t, i, "shop.example", "one")

	loaded := instance.NewCustomer(t, i.Address(t, "plain"), "shop.example").Load()
	f.stop[0]()
	awaitProblems(t, i, "stale", 1)
	f.awaitMaster(t, f.servers[1])
	awaitProblems(t, i, "stale", 0)
	f.put(t, f.servers[1], "http/services/shop/loadbalancer/servers/0/url", service(t, "two"))
	says(t, i, "shop.example", "two")
	loaded("a failover")

	// The one that was the master is back, and is a replica now: who asks it would hear nothing new.
	f.serve(t, 0)
	f.put(t, f.servers[1], "http/services/shop/loadbalancer/servers/0/url", service(t, "three"))
	says(t, i, "shop.example", "three")
}

func newFailover(t *testing.T) *failover {
	t.Helper()
	f := &failover{folder: t.TempDir()}
	write(t, f.folder, "redis-password", password)
	write(t, f.folder, "sentinel-password", password+"-sentinel")
	for n := range f.servers {
		f.servers[n] = instance.FreeAddress(t)
	}
	for n, address := range f.servers {
		settings := fmt.Sprintf("requirepass %[1]s\nmasterauth %[1]s\nappendonly yes\n", adminPassword)
		if n > 0 {
			host, port, _ := net.SplitHostPort(f.servers[0])
			settings += fmt.Sprintf("replicaof %s %s\nrepl-diskless-sync-delay 0\n", host, port)
		}
		f.lay(t, address, settings)
		f.serve(t, n)
	}
	f.do(t, f.servers[1], `until redis-cli INFO replication | grep -q master_link_status:up; do sleep 0.1; done`)
	host, port, _ := net.SplitHostPort(f.servers[0])
	for n := range f.sentinels {
		f.sentinels[n] = instance.FreeAddress(t)
		f.lay(t, f.sentinels[n], fmt.Sprintf(`sentinel monitor mymaster %s %s 2
sentinel auth-pass mymaster %[3]s
sentinel down-after-milliseconds mymaster 2000
sentinel failover-timeout mymaster 10000
requirepass %[3]s
sentinel sentinel-pass %[3]s
`, host, port, adminPassword))
		run(t, instance.Need(t, "redis-server", "redis-server"), f.file(f.sentinels[n]), "--sentinel")
	}
	for _, s := range f.sentinels { // each knows the others and the replica
		f.do(t, s, `until redis-cli SENTINEL master mymaster | tr '\n' ' ' | grep -q 'num-slaves 1 num-other-sentinels 2'
do sleep 0.1; done`)
	}
	return f
}

// lay writes the file of a server on an address.
func (f *failover) lay(t *testing.T, address, settings string) {
	t.Helper()
	host, port, _ := net.SplitHostPort(address)
	write(t, f.folder, port+"/redis.conf", fmt.Sprintf("bind %s\nport %s\ndir %s\nlogfile redis.log\n%s",
		host, port, filepath.Dir(f.file(address)), settings))
}

func (f *failover) file(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return filepath.Join(f.folder, port, "redis.conf")
}

func (f *failover) serve(t *testing.T, n int) {
	t.Helper()
	f.stop[n] = run(t, instance.Need(t, "redis-server", "redis-server"), f.file(f.servers[n]))
	instance.AwaitListener(t, patience, f.servers[n])
}

// do runs commands of the administrator's against one of the servers.
func (f *failover) do(t *testing.T, address, commands string) string {
	t.Helper()
	_, port, _ := net.SplitHostPort(address)
	prelude := fmt.Sprintf("export REDISCLI_AUTH=%s\nredis-cli() { command redis-cli -e -p %s \"$@\"; }\n",
		adminPassword, port)
	cmd := exec.Command("timeout", "60", "bash", "-euo", "pipefail", "-c", prelude+commands)
	cmd.Dir = f.folder
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", commands, err, out)
	}
	return string(out)
}

func (f *failover) put(t *testing.T, address, key, text string) {
	t.Helper()
	f.do(t, address, fmt.Sprintf("redis-cli SET 'traefik/%s' '%s'", key, text))
}

// awaitMaster waits until the sentinels say that a server is the master.
func (f *failover) awaitMaster(t *testing.T, address string) {
	t.Helper()
	_, port, _ := net.SplitHostPort(address)
	instance.Await(t, patience, "the replica is the master", func() bool {
		said := f.do(t, f.sentinels[0], "redis-cli SENTINEL get-master-addr-by-name mymaster")
		return strings.Contains(said, port)
	})
}
