package soak_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
)

var (
	howLong  = flag.Duration("soak", time.Minute, "how long there is load")
	detector = flag.Bool("detector", false, "build the program with the race detector")
	seed     = flag.Uint64("seed", 1, "of the clients, the dying service and the reloads")
	pace     = flag.Duration("pace", 100*time.Millisecond, "how long each client rests, on average")
)

// What may be left when all clients are gone, beyond what there was before they came.
const (
	spareGoroutines = 20
	spareFiles      = 10
	spareHeap       = 32 << 20
	growth          = 1.5 // of the resident memory, from a quarter of the time to its end
	mostTold        = 50
	settling        = 4 * time.Minute // idle connections to services end after 90 s, and the runtime collects every 2 min
)

func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute or more")
	}
	t.Setenv("GORACE", "halt_on_error=1") // so that what it found is the end of the log
	s := &soak{t: t, counts: make(map[string]*atomic.Int64)}
	world := s.start()
	before := s.fairlead.Read(t)
	s.report("before", before)

	ctx, cancel := context.WithTimeout(t.Context(), *howLong)
	defer cancel()
	s.run(ctx, world)
	quarter := s.watch(ctx, *howLong/4)
	early := s.fairlead.Read(t)
	s.report("after a quarter", early)
	for ctx.Err() == nil {
		s.watch(ctx, max(*howLong/10, time.Minute))
		s.report("under load", s.fairlead.Read(t))
	}
	s.all.Wait()
	late := s.fairlead.Read(t)
	s.report("after the load", late)
	// What the race detector notes of each address it has seen is resident, too, and never given back: with it, only the
	// heap is looked at, by settle.
	if most := early[instance.Resident]*growth + spareHeap; quarter && !*detector && late[instance.Resident] > most {
		t.Errorf("memory grew from %.0f to %.0f MB", early[instance.Resident]/1e6, late[instance.Resident]/1e6)
	}
	s.settle(before)
	s.tell()
}

// soak is one run.
type soak struct {
	t        *testing.T
	fairlead *instance.Instance
	folder   string
	dying    string // address
	servers  []*server
	all      sync.WaitGroup
	counts   map[string]*atomic.Int64 // what was done, by kind; written before the clients start
	reloads  atomic.Int64
	failed   atomic.Int64
}

func (s *soak) start() *world {
	s.t.Helper()
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	for _, protocols := range []*http.Protocols{nil, h2c, nil} {
		server, err := listen("127.0.0.1:0", protocols)
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { _ = server.http.Close() })
		s.servers = append(s.servers, server)
	}
	s.dying = s.servers[2].address()
	_ = s.servers[2].http.Close() // its address is that of the one that dies and comes back
	s.folder = s.t.TempDir()
	err := instance.Lay(s.folder, "testdata", map[string]string{
		"SERVICE": "http://" + s.servers[0].address(), // of the usual routes, which are not read here
		"STEADY":  s.servers[0].address(), "H2C": s.servers[1].address(), "DYING": s.dying,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	var flags []string
	if *detector {
		flags = []string{"-race"}
	}
	s.fairlead = instance.StartIn(s.t, instance.Program(s.t, flags...), s.folder)
	return &world{plain: s.fairlead.Address(s.t, "plain"), secure: s.fairlead.Address(s.t, "secure")}
}

// run starts everything that goes on at the same time. Whatever random choice is made follows from the seed.
func (s *soak) run(ctx context.Context, w *world) {
	source := uint64(0)
	next := func() *rand.Rand { source++; return rand.New(rand.NewPCG(*seed, source)) }
	s.all.Go(func() { s.fail("the dying service", die(ctx, s.dying, next())) })
	s.all.Go(func() { s.fail("the reloads", s.reload(ctx, next())) })
	kinds := w.kinds()
	for name := range kinds {
		s.counts[name] = new(atomic.Int64)
	}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		for range kinds[name].n {
			random := next()
			s.all.Go(func() { s.repeat(ctx, name, kinds[name].do, random) })
		}
	}
}

// repeat is the life of one client. What it has begun when the time is over, it may finish.
func (s *soak) repeat(ctx context.Context, name string, do client, random *rand.Rand) {
	for {
		pause(ctx, time.Duration(random.Int64N(int64(2**pace))))
		if ctx.Err() != nil {
			return
		}
		once, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Minute)
		s.fail(name, do(once, random))
		cancel()
		s.counts[name].Add(1)
	}
}

// reload replaces the routes that nobody asks for, again and again; the others stay as they are.
func (s *soak) reload(ctx context.Context, random *rand.Rand) error {
	for ctx.Err() == nil {
		var routes strings.Builder
		fmt.Fprintf(&routes, "http:\n  services:\n    other: {loadBalancer: {servers: [{url: \"http://%s\"}]}}\n  routers:\n",
			s.servers[random.IntN(len(s.servers))].address())
		for n := range 1 + random.IntN(200) {
			fmt.Fprintf(&routes, "    r%d: {rule: \"Host(`h%d.example`) && PathPrefix(`/%d`)\", service: other}\n",
				n, n, random.IntN(10))
		}
		if err := instance.Replace(filepath.Join(s.folder, "routes", "other.yaml"), routes.String()); err != nil {
			return err
		}
		s.reloads.Add(1)
		pause(ctx, time.Duration(20+random.IntN(400))*time.Millisecond)
	}
	return nil
}

// fail tells what should not have happened.
func (s *soak) fail(who string, err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	if n := s.failed.Add(1); n <= mostTold {
		s.t.Errorf("%s %s: %v", time.Now().UTC().Format(time.TimeOnly), who, err)
	}
}

// watch waits a while, and reports whether there is still load then.
func (s *soak) watch(ctx context.Context, d time.Duration) bool {
	pause(ctx, d)
	return ctx.Err() == nil
}

func (s *soak) report(when string, f instance.Figures) {
	done := int64(0)
	for _, n := range s.counts {
		done += n.Load()
	}
	s.t.Logf("%s %s: %d exchanges, %d reloads, %d failed; "+
		"%.0f goroutines, %.0f files, heap %.1f MB, resident %.1f MB, %.0f s",
		time.Now().UTC().Format(time.TimeOnly), when, done, s.reloads.Load(), s.failed.Load(), f[instance.Goroutines],
		f[instance.OpenFiles], f[instance.Heap]/1e6, f[instance.Resident]/1e6, f[instance.CPUSeconds])
}

// settle waits until what the load took is given back.
func (s *soak) settle(before instance.Figures) {
	ctx, cancel := context.WithTimeout(s.t.Context(), settling)
	defer cancel()
	for {
		now := s.fairlead.Read(s.t)
		if now[instance.Goroutines] <= before[instance.Goroutines]+spareGoroutines &&
			now[instance.OpenFiles] <= before[instance.OpenFiles]+spareFiles &&
			now[instance.Heap] <= before[instance.Heap]+spareHeap {
			s.report("settled", now)
			return
		}
		if ctx.Err() != nil {
			s.report("not settled", now)
			s.t.Errorf("something was not given back within %v", settling)
			return
		}
		s.watch(ctx, time.Second)
	}
}

// tell says what was done.
func (s *soak) tell() {
	for _, name := range slices.Sorted(maps.Keys(s.counts)) {
		n := s.counts[name].Load()
		s.t.Logf("%s: %d", name, n)
		if n == 0 {
			s.t.Errorf("%s: nothing was done", name)
		}
	}
	if n := s.failed.Load(); n > mostTold {
		s.t.Errorf("%d things failed, of which %d are above", n, mostTold)
	}
}
