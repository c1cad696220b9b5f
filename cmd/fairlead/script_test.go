package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fairlead/fairlead/internal/telemetry/tracetest"
)

// The scripts in testdata/script run the program as its users do: real processes on loopback addresses, links over TLS,
// clients that see nothing but answers. testdata/script/README.md says what a script can do.

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"fairlead": main, "machine-app": machineApp})
}

func TestScript(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			w := newScriptWorld(env)
			env.Values[worldKey{}] = w
			env.Defer(w.close)
			return nil
		},
		Cmds:               scriptCommands(),
		RequireUniqueNames: true,
		UpdateScripts:      *update,
	})
}

// scriptWorld is what a script has started.
type scriptWorld struct {
	dir       string   // $WORK
	address   string   // that everything listens on, with port 0
	env       []string // of the processes
	instances map[string]*scriptInstance
	apps      map[string]*scriptApp
	loads     map[string]*scriptLoad
	begun     map[string]chan scriptResult
	watches   map[string]*exec.Cmd // by file
	held      []io.Closer          // connections
	talks     map[string]*talking
	machines  map[string]*scriptMachine

	collectors map[string]*tracetest.Collector
}

// worldKey is under which a script's values have its world.
type worldKey struct{}

func newScriptWorld(env *testscript.Env) *scriptWorld {
	return &scriptWorld{
		dir: env.WorkDir, address: ownAddress(), env: slices.Clone(env.Vars),
		instances: make(map[string]*scriptInstance), apps: make(map[string]*scriptApp),
		loads: make(map[string]*scriptLoad), begun: make(map[string]chan scriptResult),
		watches: make(map[string]*exec.Cmd), talks: make(map[string]*talking),
		machines:   make(map[string]*scriptMachine),
		collectors: make(map[string]*tracetest.Collector),
	}
}

// ownAddress returns a loopback address that is the script's own, where the system has so many: the port of an instance
// that is down for a while is then still free when it comes back.
func ownAddress() string {
	host := "127.0.0.1"
	if runtime.GOOS == "linux" {
		host = fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
	}
	return net.JoinHostPort(host, "0")
}

// close ends everything that the script has not ended itself.
func (w *scriptWorld) close() {
	for _, l := range w.loads {
		l.stop()
	}
	for _, m := range w.machines {
		m.close()
	}
	for _, i := range w.instances {
		_ = i.end(os.Kill)
	}
	for _, cmd := range w.watches {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for _, a := range w.apps {
		a.close()
	}
	for _, t := range w.talks {
		_ = t.Close()
	}
	w.letGo()
	for _, c := range w.collectors {
		c.Close()
	}
}

// call is one use of a command in a script.
type call struct {
	*scriptWorld
	ts             *testscript.TestScript
	args           []string
	stdout, stderr strings.Builder
}

// command is a command of the scripts. Its error fails the script, unless it stands after "!" or in eventually.
type command func(*call) error

func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	registered := make(map[string]func(*testscript.TestScript, bool, []string))
	for name, command := range commands() {
		registered[name] = func(ts *testscript.TestScript, not bool, args []string) {
			c := &call{scriptWorld: ts.Value(worldKey{}).(*scriptWorld), ts: ts, args: args}
			err := command(c)
			_, _ = ts.Stdout().Write([]byte(c.stdout.String()))
			_, _ = ts.Stderr().Write([]byte(c.stderr.String()))
			switch {
			case not && err == nil:
				ts.Fatalf("unexpected success")
			case not:
				ts.Logf("[%v]", err)
			case err != nil:
				ts.Fatalf("%v\n%s", err, c.logs())
			}
		}
	}
	return registered
}

func commands() map[string]command {
	return map[string]command{
		"app":        startApp,
		"at":         runAt,
		"begin":      beginGet,
		"cert":       makeCert,
		"collector":  startCollector,
		"connect":    connect,
		"disconnect": func(c *call) error { c.letGo(); return nil },
		"ended":      endedMachine,
		"eventually": eventually,
		"finish":     finishGet,
		"get":        get,
		"crash":      crash,
		"load":       startLoad,
		"loaded":     endLoad,
		"plugin":     makePlugin,
		"put":        putFile,
		"register":   registerMachine,
		"release":    releaseApp,
		"signal":     signalMachine,
		"start":      startInstanceProcess,
		"streamapp":  startStreamApp,
		"talk":       talk,
		"traces":     showTraces,
		"drain":      drainInstance,
		"term":       terminateInstance,
		"unwatch":    endWatch,
		"waiting":    waitingApp,
		"watch":      startWatch,
		"websocket":  talkWebSocket,
	}
}

// usage is the error of a command that is not called as it should be.
func usage(text string) error { return errors.New("usage: " + text) }

const (
	scriptTick    = 20 * time.Millisecond
	scriptTimeout = 15 * time.Second // of what should take no time at all
)

// eventually repeats a command until it succeeds and its output is as wanted. It is the only way to wait.
func eventually(c *call) error {
	const synopsis = "eventually DURATION [-out REGEXP] [-without REGEXP] [!] COMMAND…"
	if len(c.args) < 2 {
		return usage(synopsis)
	}
	limit, err := time.ParseDuration(c.args[0])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	tick := time.NewTicker(scriptTick)
	defer tick.Stop()
	for {
		err := try(c, c.args[1:])
		if err == nil || errors.As(err, new(*regexpError)) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %w", limit, err)
		case <-tick.C:
		}
	}
}

// regexpError is a mistake of the script that no waiting mends.
type regexpError struct{ error }

// try runs a command once.
func try(outer *call, args []string) error {
	var want []func(string) error
	for len(args) > 2 && strings.HasPrefix(args[0], "-") {
		pattern, err := regexp.Compile("(?m)" + args[1])
		if err != nil {
			return &regexpError{err}
		}
		absent := args[0] == "-without"
		want = append(want, func(out string) error {
			if pattern.MatchString(out) == absent {
				return fmt.Errorf("%s %s; the output is:\n%s", map[bool]string{true: "found", false: "no match for"}[absent],
					pattern, out)
			}
			return nil
		})
		args = args[2:]
	}
	not := args[0] == "!"
	if not {
		args = args[1:]
	}
	run, ok := commands()[args[0]]
	switch args[0] {
	case "exists":
		run, ok = existsFile, true
	case "grep":
		run, ok = grepFile, true
	}
	if !ok {
		return &regexpError{fmt.Errorf("eventually knows no command %q", args[0])}
	}
	c := &call{scriptWorld: outer.scriptWorld, ts: outer.ts, args: args[1:]}
	err := run(c)
	outer.stdout, outer.stderr = strings.Builder{}, strings.Builder{}
	outer.stdout.WriteString(c.stdout.String())
	outer.stderr.WriteString(c.stderr.String())
	switch {
	case not && err == nil:
		return errors.New("unexpected success")
	case err != nil && !not:
		return err
	}
	for _, check := range want {
		if err := check(c.stdout.String()); err != nil {
			return err
		}
	}
	return nil
}

// grepFile is grep for eventually.
func grepFile(c *call) error {
	if len(c.args) != 2 {
		return usage("grep REGEXP FILE")
	}
	pattern, err := regexp.Compile("(?m)" + c.args[0])
	if err != nil {
		return &regexpError{err}
	}
	text, err := os.ReadFile(c.ts.MkAbs(c.args[1]))
	if err != nil {
		return err
	}
	if !pattern.Match(text) {
		return fmt.Errorf("no match for %s in %s", pattern, c.args[1])
	}
	return nil
}

// variable is what is replaced in files. "$2y$" of a password's hash is not.
var variable = regexp.MustCompile(`\$\{([A-Z][A-Z0-9_]*)\}`)

// existsFile is exists for eventually.
func existsFile(c *call) error {
	if len(c.args) != 1 {
		return usage("exists FILE")
	}
	_, err := os.Stat(c.ts.MkAbs(c.args[0]))
	return err
}

// envName returns the name of the variable for what is called name.
func envName(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }

// fill replaces variables in a text.
func fill(text []byte, value func(string) string) ([]byte, error) {
	var unknown []string
	filled := variable.ReplaceAllFunc(text, func(found []byte) []byte {
		name := string(variable.FindSubmatch(found)[1])
		v := value(name)
		if v == "" {
			unknown = append(unknown, name)
		}
		return []byte(v)
	})
	if len(unknown) > 0 {
		return nil, fmt.Errorf("not set: %s", strings.Join(unknown, ", "))
	}
	return filled, nil
}

// putFile puts a file in place, as an editor does: in one step, and with variables filled in.
func putFile(c *call) error {
	if len(c.args) != 2 {
		return usage("put FROM TO")
	}
	text, err := os.ReadFile(c.ts.MkAbs(c.args[0]))
	if err != nil {
		return err
	}
	if text, err = fill(text, c.ts.Getenv); err != nil {
		return fmt.Errorf("%s: %w", c.args[0], err)
	}
	to := c.ts.MkAbs(c.args[1])
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	temp := filepath.Join(c.dir, ".put-"+filepath.Base(to))
	if err := os.WriteFile(temp, text, 0o644); err != nil {
		return err
	}
	return os.Rename(temp, to)
}
