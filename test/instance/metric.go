package instance

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// Figures are the instance's metrics at one moment, by name with labels.
type Figures map[string]float64

// Names of figures that the Go runtime and the process have.
const (
	Goroutines = "go_goroutines"
	Heap       = "go_memstats_heap_inuse_bytes"
	OpenFiles  = "process_open_fds"
	Resident   = "process_resident_memory_bytes"
	CPUSeconds = "process_cpu_seconds_total"
)

// Read reads the instance's metrics.
func (i *Instance) Read(t testing.TB) Figures {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	answer, err := client.Get(fmt.Sprintf("http://%s/metrics", i.Address(t, Metrics)))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	figures := make(Figures)
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		at := strings.LastIndexByte(lines.Text(), ' ')
		if at < 0 || strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		if value, err := strconv.ParseFloat(lines.Text()[at+1:], 64); err == nil {
			figures[lines.Text()[:at]] = value
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return figures
}
