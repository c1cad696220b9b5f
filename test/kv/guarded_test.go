package kv_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"go.yaml.in/yaml/v3"

	"github.com/fairlead/fairlead/test/instance"
	"github.com/fairlead/fairlead/test/lab"
)

// page has what the stores are told, and the instance.
const page = "../../docs/providers/kv.md"

// The words that nobody but the owner of a file may see. The administrator's is shown to servers by files, too.
const (
	adminPassword = "3e1f1a5e-7b0c-4a55-9a4e-6f3f5d3d6a01"
	password      = "only-for-the-prefix-7c1b"
	wrongPassword = "left-over-from-before-55d0"
)

// guarded is a store that asks who is there, by TLS.
type guarded struct {
	section string // of the page
	kind    string // the prefix of the file of its password
	start   func(t *testing.T, g *vault) (stop func())
	ready   string // a command of the administrator's that succeeds once the store is there
	put     func(v *vault, key, text string) error
	exceeds func(v *vault) error // does more than the reader may
}

// vault is a folder with what a store and its reader need, and a place for the store.
type vault struct {
	folder, address, plain string
	prelude                string // of every command of the administrator's
}

func TestGuarded(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	program := instance.Program(t)
	for _, g := range []guarded{guardedEtcd(), guardedRedis(), guardedConsul(), guardedZooKeeper()} {
		t.Run(g.kind, func(t *testing.T) {
			t.Parallel()
			g.check(t, program)
		})
	}
}

func (g guarded) check(t *testing.T, program string) {
	v := newVault(t)
	write(t, v.folder, g.kind+"-password", password)
	stop := g.start(t, v)
	instance.Await(t, patience, "the store is ready", func() bool { _, err := v.try(g.ready); return err == nil })
	commands, settings := section(t, g.section)
	v.do(t, commands)
	put := func(key, text string) {
		t.Helper()
		if err := g.put(v, "traefik/"+key, text); err != nil {
			t.Fatalf("putting %s: %v", key, err)
		}
	}
	put("http/routers/shop/rule", "Host(`shop.example`)")
	put("http/routers/shop/service", "shop")
	put("http/services/shop/loadbalancer/servers/0/url", service(t, "one"))
	if err := g.exceeds(v); err == nil {
		t.Error("the reader may do more than to read the prefix")
	}

	values := map[string]string{"PROVIDERS": placed(t, settings, v.address), "SERVICE": "http://unused"}
	if err := instance.Lay(v.folder, "testdata", values); err != nil {
		t.Fatal(err)
	}
	right := read(t, v.folder, g.kind+"-password")
	i := instance.StartIn(t, program, v.folder)
	says(t, i, "shop.example", "one")
	put("http/services/shop/loadbalancer/servers/0/url", service(t, "two"))
	says(t, i, "shop.example", "two")

	// The password that the instance has is no good any more: it serves on, and begins again with the one that is.
	write(t, v.folder, g.kind+"-password", wrongPassword)
	stop()
	awaitProblems(t, i, "stale", 1)
	g.start(t, v)
	instance.Await(t, patience, "the store is ready again", func() bool { _, err := v.try(g.ready); return err == nil })
	put("http/services/shop/loadbalancer/servers/0/url", service(t, "three"))
	awaitTold(t, program, i, g.refused())
	if got := get(t, i, "shop.example"); got != "two" {
		t.Errorf("with a wrong password, the instance says %q", got)
	}
	write(t, v.folder, g.kind+"-password", right)
	says(t, i, "shop.example", "three")
	awaitProblems(t, i, "stale", 0)
	for _, secret := range []string{strings.TrimSpace(right), wrongPassword, adminPassword} {
		for where, text := range told(t, program, i) {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows a password:\n%s", where, text)
			}
		}
	}
}

// refused are words of what is told when the password is wrong.
func (g guarded) refused() string {
	return map[string]string{
		"etcd": "authentication failed", "redis": "WRONGPASS", "consul": "ACL not found", "zookeeper": "not authenticated",
	}[g.kind]
}

// awaitTold waits until the command get providers has some words.
func awaitTold(t *testing.T, program string, i *instance.Instance, words string) {
	t.Helper()
	instance.Await(t, patience, "get providers tells "+words, func() bool {
		return strings.Contains(told(t, program, i)["get providers"], words)
	})
}

// told is everything that an instance shows of itself.
func told(t *testing.T, program string, i *instance.Instance) map[string]string {
	t.Helper()
	all := map[string]string{"the log": i.Log()}
	for _, kind := range []string{"providers", "problems", "routes", "services"} {
		cmd := exec.Command(program, "get", kind, "--api", "http://"+i.Address(t, instance.API),
			"--store", i.File("data"), "--output", "json")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("get %s: %v\n%s", kind, err, out)
		}
		all["get "+kind] = string(out)
	}
	for _, name := range []string{"cmdline", "environ"} {
		content, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", i.PID(), name))
		if err != nil {
			t.Fatal(err)
		}
		all["the process's "+name] = string(content)
	}
	return all
}

func says(t *testing.T, i *instance.Instance, host, want string) {
	t.Helper()
	instance.Await(t, patience, host+" says "+want, func() bool { return get(t, i, host) == want })
}

func awaitProblems(t *testing.T, i *instance.Instance, code string, want float64) {
	t.Helper()
	name := `fairlead_problems{code="` + code + `"}`
	instance.Await(t, patience, "problems "+code, func() bool { return float64(i.Read(t)[name]) == want })
}

// section returns the commands and the settings of a section of the page.
func section(t *testing.T, heading string) (commands, settings string) {
	t.Helper()
	_, rest, found := strings.Cut(read(t, "", page), "\n### "+heading+"\n")
	if !found {
		t.Fatalf("%s has no section %q", page, heading)
	}
	block := func(kind string) string {
		_, after, _ := strings.Cut(rest, "\n```"+kind+"\n")
		text, _, _ := strings.Cut(after, "\n```")
		return text
	}
	return block("sh"), block("yaml")
}

// placed returns the providers of the page's settings, with the store where it is here.
func placed(t *testing.T, settings, address string) string {
	t.Helper()
	var file struct{ Providers map[string]map[string]any }
	if err := yaml.Unmarshal([]byte(settings), &file); err != nil {
		t.Fatal(err)
	}
	for _, provider := range file.Providers {
		provider["endpoints"] = []string{address}
	}
	text, err := json.Marshal(file.Providers)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func newVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{folder: t.TempDir(), address: instance.FreeAddress(t), plain: instance.FreeAddress(t)}
	a := newAuthority(t, v.folder)
	a.issue(t, v.folder, "server")
	a.issue(t, v.folder, "client")
	write(t, v.folder, "admin-password", adminPassword)
	return v
}

// try runs commands of the administrator's, in the folder.
func (v *vault) try(commands string, args ...string) (string, error) {
	options := []string{"-euo", "pipefail", "-c", v.prelude + "\n" + commands, "-"}
	cmd := exec.Command("bash", append(options, args...)...)
	cmd.Dir = v.folder
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// putBy returns what sets a key with a command, whose arguments are the key and the text.
func putBy(command string) func(*vault, string, string) error {
	return func(v *vault, key, text string) error { return v.succeeds(command, key, text) }
}

func (v *vault) succeeds(commands string, args ...string) error {
	out, err := v.try(commands, args...)
	if err != nil {
		return fmt.Errorf("%s %q: %w\n%s", commands, args, err, out)
	}
	return nil
}

func (v *vault) do(t *testing.T, commands string, args ...string) {
	t.Helper()
	if err := v.succeeds(commands, args...); err != nil {
		t.Fatal(err)
	}
}

func (v *vault) file(name string) string { return filepath.Join(v.folder, name) }

// exceedsBy returns what does more than a reader may, with commands: who he is, what he may, and what he may not.
func exceedsBy(who, may, not string) func(*vault) error {
	return func(v *vault) error {
		if err := v.succeeds(who + "\n" + may); err != nil {
			return nil // what follows would prove nothing
		}
		return v.succeeds(who + "\n" + not)
	}
}

func write(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := instance.Replace(filepath.Join(folder, name), text); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, folder, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func guardedEtcd() guarded {
	return guarded{
		section: "etcd", kind: "etcd",
		start: func(t *testing.T, v *vault) func() {
			instance.Need(t, "etcdctl", "etcd-client")
			first := v.prelude == ""
			v.prelude = "export ETCDCTL_API=3 ETCDCTL_ENDPOINTS=https://" + v.address +
				" ETCDCTL_CACERT=ca.pem ETCDCTL_CERT=client.pem ETCDCTL_KEY=client-key.pem"
			own := "http://" + instance.FreeAddress(t)
			stop := run(t, instance.Need(t, "etcd", "etcd-server"), "--data-dir", v.file("etcd"),
				"--listen-client-urls", "https://"+v.address, "--advertise-client-urls", "https://"+v.address,
				"--listen-peer-urls", own, "--initial-advertise-peer-urls", own, "--initial-cluster", "default="+own,
				"--cert-file", v.file("server.pem"), "--key-file", v.file("server-key.pem"),
				"--trusted-ca-file", v.file("ca.pem"), "--client-cert-auth",
				"--logger", "zap", "--log-outputs", v.file("etcd.log"))
			if first {
				instance.Await(t, patience, "etcd answers", func() bool { _, err := v.try("etcdctl get a"); return err == nil })
				v.do(t, "etcdctl user add root --interactive=false < admin-password; etcdctl auth enable")
			}
			v.prelude += ` ETCDCTL_USER="root:$(cat admin-password)"`
			return stop
		},
		ready: "etcdctl get a",
		put:   putBy(`etcdctl put "$1" "$2"`),
		exceeds: exceedsBy(`export ETCDCTL_USER="fairlead:$(cat etcd-password)"`, "etcdctl get traefik/ --prefix",
			"etcdctl put traefik/x y || etcdctl get other"),
	}
}

func guardedRedis() guarded {
	return guarded{
		section: "Redis", kind: "redis",
		start: func(t *testing.T, v *vault) func() {
			host, port, _ := net.SplitHostPort(v.address)
			write(t, v.folder, "redis.conf", fmt.Sprintf(`bind %s
port 0
tls-port %s
tls-cert-file %s
tls-key-file %s
tls-ca-cert-file %s
dir %s
appendonly yes
appendfsync always
aclfile %s
logfile redis.log
`, host, port, v.file("server.pem"), v.file("server-key.pem"), v.file("ca.pem"), v.folder, v.file("users.acl")))
			if v.prelude == "" {
				write(t, v.folder, "users.acl", "user default on >"+adminPassword+" ~* &* +@all\n")
			}
			v.prelude = fmt.Sprintf(`export REDISCLI_AUTH="$(cat admin-password)"
redis-cli() { command redis-cli -e -p %s --tls --cacert ca.pem --cert client.pem --key client-key.pem "$@"; }`, port)
			return run(t, instance.Need(t, "redis-server", "redis-server"), v.file("redis.conf"))
		},
		ready: "redis-cli PING",
		put:   putBy(`redis-cli ACL SAVE; redis-cli SET "$1" "$2"`),
		exceeds: exceedsBy(`export REDISCLI_AUTH="$(cat redis-password)"`, "redis-cli --user fairlead MGET traefik/x",
			"redis-cli --user fairlead SET traefik/x y || redis-cli --user fairlead MGET other"),
	}
}

func guardedConsul() guarded {
	return guarded{
		section: "Consul", kind: "consul",
		start: func(t *testing.T, v *vault) func() {
			program := lab.Built(t, "consul")
			host, port, _ := net.SplitHostPort(v.address)
			var ports []any
			for range 3 {
				_, p, _ := net.SplitHostPort(instance.FreeAddress(t))
				ports = append(ports, p)
			}
			write(t, v.folder, "consul.hcl", fmt.Sprintf(`
acl { enabled = true, default_policy = "deny", tokens { initial_management = %[1]q, agent = %[1]q } }
tls { https { ca_file = %[2]q, cert_file = %[3]q, key_file = %[4]q, verify_incoming = true } }
ports { http = -1, https = %[5]s, dns = -1, grpc = -1, grpc_tls = -1, server = %[6]s,
  serf_lan = %[7]s, serf_wan = %[8]s }
disable_update_check = true
`, append([]any{adminPassword, v.file("ca.pem"), v.file("server.pem"), v.file("server-key.pem"), port}, ports...)...))
			v.prelude = fmt.Sprintf(`export CONSUL_HTTP_ADDR=https://%s CONSUL_CACERT=ca.pem CONSUL_CLIENT_CERT=client.pem \
	CONSUL_CLIENT_KEY=client-key.pem CONSUL_HTTP_TOKEN="$(cat admin-password)" PATH=%s:$PATH`,
				v.address, filepath.Dir(program))
			return run(t, program, "agent", "-server", "-bootstrap", "-node", "kv", "-bind", host, "-client", host,
				"-disable-host-node-id", "-data-dir", v.file("consul"), "-log-file", v.file("consul.log"),
				"-config-file", v.file("consul.hcl"))
		},
		ready: "consul kv put other x",
		put:   putBy(`consul kv put "$1" "$2"`),
		exceeds: exceedsBy(`export CONSUL_HTTP_TOKEN="$(cat consul-password)"`, "consul kv get -recurse traefik/",
			"consul kv put traefik/x y || consul kv get other"),
	}
}

// zooKeeperWithTLS is where Debian has what ZooKeeper needs for TLS: its own list leaves some of that out.
const zooKeeperWithTLS = "/usr/share/java/zookeeper.jar:/usr/share/java/netty-codec.jar:" +
	"/usr/share/java/netty-resolver.jar:/usr/share/java/netty-transport-native-unix-common.jar"

func guardedZooKeeper() guarded {
	return guarded{
		section: "ZooKeeper", kind: "zookeeper",
		start: func(t *testing.T, v *vault) func() {
			host, port, _ := net.SplitHostPort(v.address)
			_, plain, _ := net.SplitHostPort(v.plain)
			write(t, v.folder, "server-both.pem", read(t, v.folder, "server.pem")+read(t, v.folder, "server-key.pem"))
			settings := fmt.Sprintf(`dataDir=%s
clientPortAddress=%[2]s
clientPort=%[3]s
secureClientPortAddress=%[2]s
secureClientPort=%[4]s
serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory
ssl.keyStore.type=PEM
ssl.keyStore.location=%[5]s
ssl.trustStore.type=PEM
ssl.trustStore.location=%[6]s
tickTime=500
admin.enableServer=false
`, v.file("zookeeper"), host, plain, port, v.file("server-both.pem"), v.file("ca.pem"))
			write(t, v.folder, "zoo.cfg", settings)
			const scripts = "/usr/share/zookeeper/bin"
			v.prelude = fmt.Sprintf("zkCli.sh() { %s/zkCli.sh -server %s \"$@\" 2>&1; }", scripts, v.plain)
			return run(t, instance.Need(t, "java", "zookeeperd"), "-Xmx128m", "-cp", zooKeeperWithTLS,
				"org.apache.zookeeper.server.quorum.QuorumPeerMain", v.file("zoo.cfg"))
		},
		ready: "zkCli.sh <<< 'ls /' | grep -q '^.*zookeeper.*]'",
		put: func(v *vault, key, text string) error {
			return asZooKeeper(v, "admin", adminPassword, func(c *zk.Conn) error {
				reader, admin := zk.DigestACL(zk.PermRead, "fairlead", password), zk.DigestACL(zk.PermAll, "admin", adminPassword)
				return setNode(c, "/"+key, text, append(reader, admin...))
			})
		},
		exceeds: func(v *vault) error {
			return asZooKeeper(v, "fairlead", password, func(c *zk.Conn) error {
				_, err := c.Set("/traefik/http", []byte("x"), -1)
				return err
			})
		},
	}
}

// asZooKeeper does something as one whom ZooKeeper knows.
func asZooKeeper(v *vault, name, word string, do func(*zk.Conn) error) error {
	conn, _, err := zk.Connect([]string{v.plain}, 5*time.Second, zk.WithLogger(quiet{}))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.AddAuth("digest", []byte(name+":"+word)); err != nil {
		return err
	}
	return do(conn)
}
