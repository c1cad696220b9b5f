package dynamic

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

type wasm struct {
	File        string        `doc:"file"`
	Config      string        `doc:"config"`
	MemoryBytes int64         `doc:"memoryBytes"`
	Timeout     time.Duration `doc:"timeout"`
}

// maxModule bounds a plug-in; those that the compiler of Go makes have two megabytes. Providers read no larger files.
const maxModule = 4 << 20

func (*wasm) gaps() []gap       { return nil }
func (w *wasm) files() []string { return []string{w.File} }

func (w *wasm) build(at place, m *model.Middleware) {
	const least, most = 64 << 10, 4 << 30
	if w.MemoryBytes != 0 && (w.MemoryBytes < least || w.MemoryBytes > most) {
		at.in("memoryBytes").invalid("%d is out of range; it is from %d to %d", w.MemoryBytes, least, int64(most))
	}
	at.in("timeout").notNegative(w.Timeout)
	if w.File == "" {
		at.in("file").invalid("name the file of the plug-in")
	}
	code := at.in("file").content(w.File, maxModule)
	sum := sha256.Sum256([]byte(code))
	m.WASM = &model.WASM{
		Code: code, Sum: hex.EncodeToString(sum[:]), Config: model.NewSecret(w.Config), MemoryBytes: w.MemoryBytes,
		Timeout: w.Timeout,
	}
}
