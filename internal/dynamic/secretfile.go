package dynamic

import "strings"

// maxFile bounds a file that a middleware names.
const maxFile = 1 << 20

// lines returns the lines of the file that the value at p names, without blank ones and comments.
func (p place) lines(name string) []string {
	if name == "" {
		return nil
	}
	read := p.object.builder.read
	if read == nil {
		p.invalid("this source cannot refer to files; give the content here")
		return nil
	}
	data, err := read(name)
	switch {
	case err != nil:
		p.invalid("the file cannot be read: %s", err)
		return nil
	case len(data) > maxFile:
		p.invalid("the file has %d bytes; at most %d are read", len(data), maxFile)
		return nil
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}
