package middleware

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	defaultWASMMemory = 64 << 20
	wasmPage          = 64 << 10
	defaultWASMTime   = time.Second
	maxWASMInstances  = 64 // of one plug-in: so many requests are in it at once, others wait
	maxWASMBody       = 1 << 20
	maxWASMStart      = 10 * time.Second // of an instance; Go's runtime takes some milliseconds
)

// plugin is a compiled WASM module, and its instances. It outlives generations until its code or limits change.
type plugin struct {
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	free     chan api.Module // idle instances
	slots    chan struct{}   // one a running instance
	features atomic.Uint32   // that an instance asks for when it starts
	err      error           // why it cannot be used
	use      sync.RWMutex    // read by each request that is in it, locked by its end
}

// wasm is the definition, checked.
type wasm struct {
	*plugin
	of     model.Ref
	config string
	time   time.Duration
	log    *slog.Logger
}

// newWASM lets a plug-in see and change requests and answers (https://http-wasm.io/http-handler-abi). A plug-in sees
// nothing of the machine: no files, no network, no environment.
func newWASM(s *Set, at place, spec *model.WASM) (Func, error) {
	memory := cmp.Or(spec.MemoryBytes, defaultWASMMemory)
	if memory < wasmPage || memory > 4<<30 {
		return nil, fieldError("wasm.memoryBytes", "%d is out of range; use 64 KiB to 4 GiB", memory)
	}
	if spec.Timeout < 0 {
		return nil, fieldError("wasm.timeout", "%s is negative; the default is 1s", spec.Timeout)
	}
	like := fmt.Sprintf("wasm %s %d", spec.Sum, memory)
	p := stateOf(s, place{middleware: at.middleware}, like, func() *plugin { return newPlugin(spec.Code, memory) })
	if p.err != nil {
		return nil, fieldError("wasm.file", "the plug-in cannot be used: %v", p.err)
	}
	return (&wasm{p, at.middleware, spec.Config.Reveal(), cmp.Or(spec.Timeout, defaultWASMTime), s.log}).wrap, nil
}

func newPlugin(code string, memory int64) *plugin {
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().
		WithMemoryLimitPages(uint32(memory/wasmPage)).WithCloseOnContextDone(true))
	p := &plugin{runtime: r, free: make(chan api.Module, maxWASMInstances), slots: make(chan struct{}, maxWASMInstances)}
	if _, p.err = wasi_snapshot_preview1.Instantiate(ctx, r); p.err != nil {
		return p
	}
	if p.err = exportHost(ctx, r); p.err != nil {
		return p
	}
	if p.compiled, p.err = r.CompileModule(ctx, []byte(code)); p.err != nil {
		return p
	}
	exports := p.compiled.ExportedFunctions()
	if exports["handle_request"] == nil || exports["handle_response"] == nil {
		p.err = errors.New("it exports no handle_request and handle_response; build it for the http-wasm handler ABI")
	}
	return p
}

// close ends the plug-in, when the last request has left it. It does not wait for that.
func (p *plugin) close() {
	go func() {
		p.use.Lock()
		defer p.use.Unlock()
		_ = p.runtime.Close(context.Background())
	}()
}

// take returns an instance that nobody uses; it waits where there are too many.
func (p *wasm) take(r *http.Request) (api.Module, error) {
	ctx := r.Context()
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	p.use.RLock()
	select {
	case m := <-p.free:
		return m, nil
	default:
	}
	c := &wasmCall{wasm: p, r: r, header: http.Header{}, passedOn: true, sent: true} // it may change nothing yet
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, wasmKey{}, c), maxWASMStart)
	defer cancel()
	m, err := p.runtime.InstantiateModule(ctx, p.compiled, wazero.NewModuleConfig().WithName("").
		WithSysWalltime().WithSysNanotime().WithRandSource(rand.Reader).
		WithStartFunctions("_initialize", "_start")) //nolint:misspell // the name is WASI's
	if err != nil {
		p.leave()
		return nil, err
	}
	p.features.Store(c.features)
	return m, nil
}

// give takes an instance back. One that failed is not used again.
func (p *plugin) give(m api.Module, failed bool) {
	if failed || m.IsClosed() {
		_ = m.Close(context.Background())
	} else {
		p.free <- m
	}
	p.leave()
}

func (p *plugin) leave() {
	p.use.RUnlock()
	<-p.slots
}

func (p *wasm) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m, err := p.take(r)
		if err != nil {
			p.fail(w, err)
			return
		}
		failed := true // also where a handler behind panics
		defer func() { p.give(m, failed) }()
		c := &wasmCall{wasm: p, w: w, r: r, header: http.Header{}, features: p.features.Load()}
		results, err := p.call(m, c, "handle_request")
		if err != nil {
			p.fail(w, err)
			return
		}
		if uint32(results[0]) == 0 { // the plug-in answers itself
			failed = false
			setReason(w, "answered_by_wasm")
			c.send()
			return
		}
		c.passedOn = true
		if c.features&bufferResponse == 0 {
			next.ServeHTTP(w, r)
			c.sent = true
		} else {
			c.status = 0
			next.ServeHTTP(&wasmWriter{ResponseWriter: w, call: c}, r)
		}
		_, err = p.call(m, c, "handle_response", results[0]>>32, 0)
		switch failed = err != nil; {
		case c.sent && failed:
			p.told(err)
		case failed:
			p.fail(w, err)
		case !c.sent:
			c.send()
		}
	})
}

// call runs a function of the plug-in, for no longer than it may.
func (p *wasm) call(m api.Module, c *wasmCall, name string, args ...uint64) ([]uint64, error) {
	ctx, cancel := context.WithTimeout(context.WithValue(c.r.Context(), wasmKey{}, c), p.time)
	defer cancel()
	return m.ExportedFunction(name).Call(ctx, args...)
}

func (p *wasm) fail(w http.ResponseWriter, err error) {
	p.told(err)
	refuse(w, http.StatusInternalServerError, "wasm_failed")
}

func (p *wasm) told(err error) {
	p.log.Warn("a plug-in failed", "middleware", p.of.String(), "error", err)
}
