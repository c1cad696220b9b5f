package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	maxFiles   = 10_000
	maxFolders = 10_000
	maxLinks   = 40 // on the way to one file, as the kernel has it
)

// tree is what a path leads to.
type tree struct {
	files   []string // by the names under which they were found, sorted
	folders []string // the real paths of all folders that have a say in it, sorted, each once
}

// scan lists the files at root: the file itself, or those with one of the extensions in the folder and its subfolders.
// Names that start with a dot are skipped: editors and Kubernetes keep there what is not meant to be read. Symbolic
// links are followed; a folder that is reached twice counts once. Whatever cannot be listed fails the scan.
func scan(root string, extensions []string) (tree, error) {
	real, links, err := trail(root)
	if err != nil {
		return tree{}, err
	}
	info, err := os.Stat(real)
	if err != nil {
		return tree{}, err
	}
	s := scanner{extensions: extensions, entered: map[string]bool{}}
	s.folders = links
	if info.IsDir() {
		err = s.enter(root, real)
	} else {
		s.files = []string{root}
		s.folders = append(s.folders, filepath.Dir(real))
	}
	slices.Sort(s.files)
	slices.Sort(s.folders)
	s.folders = slices.Compact(s.folders)
	return s.tree, err
}

type scanner struct {
	tree
	extensions []string
	entered    map[string]bool // real paths of folders
}

func (s *scanner) enter(path, real string) error {
	if s.entered[real] {
		return nil
	}
	s.entered[real] = true
	if len(s.entered) > maxFolders {
		return fmt.Errorf("there are more than %d folders", maxFolders)
	}
	entries, err := os.ReadDir(real)
	if err != nil {
		return err
	}
	s.folders = append(s.folders, real)
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") {
			continue
		}
		if err := s.entry(filepath.Join(path, name), filepath.Join(real, name), entry.Type()); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) entry(path, real string, mode fs.FileMode) error {
	wanted := slices.Contains(s.extensions, strings.ToLower(filepath.Ext(path)))
	if mode&fs.ModeSymlink != 0 {
		linked, links, err := trail(real)
		s.folders = append(s.folders, links...)
		if err == nil {
			var info fs.FileInfo
			if info, err = os.Stat(linked); err == nil {
				real, mode = linked, info.Mode()
				s.folders = append(s.folders, filepath.Dir(linked))
			}
		}
		if err != nil && !wanted {
			return nil // leads nowhere, and need not be a folder
		}
	}
	switch {
	case mode.IsDir():
		if err := s.enter(path, real); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	case wanted && len(s.files) == maxFiles:
		return fmt.Errorf("there are more than %d files", maxFiles)
	case wanted:
		s.files = append(s.files, path)
	}
	return nil
}

// trail follows path, which is absolute, through every symbolic link. It returns the real path and the real folders
// that hold the links, or that would hold what is missing: a change in one of them changes where path leads.
func trail(path string) (real string, folders []string, err error) {
	volume := filepath.VolumeName(path)
	root := volume + string(filepath.Separator)
	real, rest := root, split(path[len(volume):])
	for links := 0; len(rest) > 0; {
		next := filepath.Join(real, rest[0])
		rest = rest[1:]
		info, err := os.Lstat(next)
		if err != nil {
			return "", append(folders, real), err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			real = next
			continue
		}
		folders = append(folders, real)
		if links++; links > maxLinks {
			return "", folders, fmt.Errorf("%s: too many symbolic links", path)
		}
		to, err := os.Readlink(next)
		if err != nil {
			return "", folders, err
		}
		if filepath.IsAbs(to) {
			real = root
		}
		rest = append(split(to), rest...)
	}
	return real, folders, nil
}

func split(path string) []string { return strings.Split(filepath.ToSlash(path), "/") }
