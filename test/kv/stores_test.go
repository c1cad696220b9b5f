package kv_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/fairlead/fairlead/test/instance"
	"github.com/fairlead/fairlead/test/lab"
)

// run runs a server until stop is called.
func run(t *testing.T, program string, args ...string) (stop func()) {
	t.Helper()
	return instance.Serve(t, exec.Command(program, args...))
}

// consul listens on these ports beside its API's.
type consul struct{ server, lan, wan string }

func (c *consul) start(t *testing.T, address, folder string) func() {
	if c.server == "" {
		for _, p := range []*string{&c.server, &c.lan, &c.wan} {
			_, *p, _ = net.SplitHostPort(instance.FreeAddress(t))
		}
	}
	host, port, _ := net.SplitHostPort(address)
	return run(t, lab.Built(t, "consul"), "agent", "-server", "-bootstrap", "-node", "kv", "-bind", host, "-client", host,
		"-http-port", port, "-server-port", c.server, "-serf-lan-port", c.lan, "-serf-wan-port", c.wan, "-dns-port", "-1",
		"-grpc-port", "-1", "-grpc-tls-port", "-1", "-disable-host-node-id", "-hcl", "disable_update_check = true",
		"-data-dir", filepath.Join(folder, "data"), "-log-file", filepath.Join(folder, "log"))
}

func (*consul) put(address, key, text string) error {
	method := http.MethodPut
	if text == "" {
		method = http.MethodDelete
	}
	r, err := http.NewRequest(method, "http://"+address+"/v1/kv/"+key, strings.NewReader(text))
	if err != nil {
		return err
	}
	answer, err := (&http.Client{Timeout: 10 * time.Second}).Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}

type etcd struct{}

func (etcd) start(t *testing.T, address, folder string) func() {
	own := "http://" + instance.FreeAddress(t)
	return run(t, instance.Need(t, "etcd", "etcd-server"), "--data-dir", filepath.Join(folder, "data"),
		"--listen-client-urls", "http://"+address, "--advertise-client-urls", "http://"+address,
		"--listen-peer-urls", own, "--initial-advertise-peer-urls", own, "--initial-cluster", "default="+own,
		"--logger", "zap", "--log-outputs", filepath.Join(folder, "log"))
}

func (etcd) put(address, key, text string) error {
	call, value := "put", map[string][]byte{"key": []byte(key), "value": []byte(text)}
	if text == "" {
		call, value = "deleterange", map[string][]byte{"key": []byte(key)}
	}
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Post("http://"+address+"/v3/kv/"+call, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}

type redis struct{}

func (redis) start(t *testing.T, address, folder string) func() {
	host, port, _ := net.SplitHostPort(address)
	return run(t, instance.Need(t, "redis-server", "redis-server"), "--bind", host, "--port", port, "--dir", folder,
		"--appendonly", "yes", "--appendfsync", "always", "--notify-keyspace-events", "K$g",
		"--logfile", filepath.Join(folder, "log"))
}

func (redis) put(address, key, text string) error {
	words := []string{"SET", key, text}
	if text == "" {
		words = []string{"DEL", key}
	}
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Fprintf(conn, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(word), word)
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && !strings.HasPrefix(answer, "+OK") && !strings.HasPrefix(answer, ":") {
		err = errors.New(answer)
	}
	return err
}

type zookeeper struct{}

func (zookeeper) start(t *testing.T, address, folder string) func() {
	host, port, _ := net.SplitHostPort(address)
	settings := fmt.Sprintf("dataDir=%s\nclientPortAddress=%s\nclientPort=%s\ntickTime=500\nadmin.enableServer=false\n",
		filepath.Join(folder, "data"), host, port)
	file := filepath.Join(folder, "zoo.cfg")
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	const jar = "/usr/share/java/zookeeper.jar"
	if _, err := os.Stat(jar); err != nil {
		t.Fatal("ZooKeeper is needed; on Debian: apt-get install zookeeperd")
	}
	return run(t, instance.Need(t, "java", "zookeeperd"), "-Xmx128m", "-cp", folder+":"+jar,
		"org.apache.zookeeper.server.quorum.QuorumPeerMain", file)
}

func (zookeeper) put(address, key, text string) error {
	conn, _, err := zk.Connect([]string{address}, 5*time.Second, zk.WithLogger(quiet{}))
	if err != nil {
		return err
	}
	defer conn.Close()
	path := "/" + key
	if text == "" {
		return conn.Delete(path, -1)
	}
	return setNode(conn, path, text, zk.WorldACL(zk.PermAll))
}

// setNode sets a node, and makes it and those above it where they are missing.
func setNode(conn *zk.Conn, path, text string, acl []zk.ACL) error {
	for i, c := range path { // the folders above
		if c == '/' && i > 0 {
			_, err := conn.Create(path[:i], nil, 0, acl)
			if err != nil && !errors.Is(err, zk.ErrNodeExists) {
				return err
			}
		}
	}
	_, err := conn.Create(path, []byte(text), 0, acl)
	if errors.Is(err, zk.ErrNodeExists) {
		_, err = conn.Set(path, []byte(text), -1)
	}
	return err
}

// quiet is a log that nobody reads: what matters is told as an error.
type quiet struct{}

// Printf is part of zk.Logger.
func (quiet) Printf(string, ...any) {}
