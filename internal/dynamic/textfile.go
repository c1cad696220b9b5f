package dynamic

import "strings"

// maxFile bounds a file that a middleware names.
const maxFile = 1 << 20

const noFiles = "this source cannot refer to files; give the content here"

// text returns the content of the file that the value at p names; "" where it names none.
func (p place) text(name string) string { return p.content(name, maxFile) }

// content is text of so many bytes at the most.
func (p place) content(name string, most int) string {
	if name == "" {
		return ""
	}
	read := p.object.look().read
	if read == nil {
		p.invalid(noFiles)
		return ""
	}
	data, err := read(name)
	switch {
	case err != nil:
		p.invalid("the file cannot be read: %s", err)
		return ""
	case len(data) > most:
		p.invalid("the file has %d bytes; at most %d are read", len(data), most)
		return ""
	}
	return string(data)
}

// lines returns the lines of the file that the value at p names, without blank ones and comments.
func (p place) lines(name string) (lines []string) {
	for line := range strings.Lines(p.text(name)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}
