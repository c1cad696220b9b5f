package link

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Cache keeps the last known state of one cluster over restarts.
type Cache interface {
	// Load returns what was saved last; nil and no error where nothing was. An error means that it cannot be trusted.
	Load() ([]byte, error)
	Save(data []byte) error
}

// FileCache is a Cache in the file of that name: a line with a SHA-256, then the data. The file is replaced in one
// step, and only its owner can read it.
type FileCache string

const (
	cacheTitle = "fairlead link cache 1 sha256:"
	// maxCache bounds what a damaged disk or a stray file can make us read.
	maxCache = 2 * maxState
)

var errDamaged = errors.New("the file is damaged or not a link cache")

// Load reads the file and checks its sum.
func (c FileCache) Load() ([]byte, error) {
	file, err := os.Open(string(c))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	all, err := io.ReadAll(io.LimitReader(file, maxCache))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", string(c), err)
	}
	head, data, _ := bytes.Cut(all, []byte("\n"))
	if !bytes.Equal(head, cacheHead(data)) {
		return nil, fmt.Errorf("reading %s: %w", string(c), errDamaged)
	}
	return data, nil
}

func cacheHead(data []byte) []byte {
	sum := sha256.Sum256(data)
	return hex.AppendEncode([]byte(cacheTitle), sum[:])
}

// Save replaces the file. When it returns nil, the data survives a loss of power.
func (c FileCache) Save(data []byte) (err error) {
	dir := filepath.Dir(string(c))
	temp, err := os.CreateTemp(dir, filepath.Base(string(c))+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp.Name()))
		}
	}()
	_, err = temp.Write(slices.Concat(cacheHead(data), []byte("\n"), data))
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", temp.Name(), err)
	}
	if err = os.Rename(temp.Name(), string(c)); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the new name last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// saved is the data of a cache. Routes are as the cluster sent them, so that a changed grant is applied to all of
// them.
type saved struct {
	Version  int          `json:"version"`
	Cluster  string       `json:"cluster"`
	Epoch    string       `json:"epoch"` // what was known is what the cluster had at Rev of Epoch
	Rev      uint64       `json:"rev"`
	Services []Service    `json:"services"`
	Routes   []savedRoute `json:"routes"`
}

type savedRoute struct {
	Route json.RawMessage `json:"route"`
	Since time.Time       `json:"since,omitzero"` // first claim; zero: not served
}

const savedVersion = 1

// save returns what is known in the form that restore takes.
func (k *known) save(epoch string, rev uint64) saved {
	out := saved{Version: savedVersion, Cluster: k.cluster, Epoch: epoch, Rev: rev}
	for _, name := range slices.Sorted(maps.Keys(k.services)) {
		if s := k.services[name]; s.fault == nil {
			out.Services = append(out.Services, s.Service)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(k.routes)) {
		r := savedRoute{Route: k.routes[name].raw}
		if route := k.routes[name].route; route != nil {
			r.Since = route.Since
		}
		out.Routes = append(out.Routes, r)
	}
	return out
}

// restore makes a saved state the known one.
func (k *known) restore(data []byte, now time.Time) (epoch string, rev uint64, err error) {
	var in saved
	if err := json.Unmarshal(data, &in); err != nil {
		return "", 0, fmt.Errorf("decoding: %w", err)
	}
	if in.Version != savedVersion {
		return "", 0, fmt.Errorf("it has format %d, this program reads %d", in.Version, savedVersion)
	}
	if in.Cluster != k.cluster {
		return "", 0, fmt.Errorf("it is of the cluster %q", printable(in.Cluster, maxName))
	}
	b := newBatch(true)
	b.since = map[string]time.Time{}
	for _, s := range in.Services {
		b.services[s.Name] = &knownService{s, s.check()}
	}
	for _, r := range in.Routes {
		name := routeName(r.Route)
		b.routes[name] = r.Route
		if !r.Since.IsZero() {
			b.since[name] = r.Since
		}
	}
	return in.Epoch, in.Rev, k.apply(b, now)
}
