package dynamic

import (
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

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

// secret is what stands here, or in a file without the line feed at its end; not both are given.
func (p place) secret(given, name, file, fileName string) model.Secret {
	switch {
	case given != "" && file != "":
		p.in(fileName).invalid("give %s or %s", name, fileName)
	case strings.HasPrefix(given, "urn:k8s:secret:"):
		p.in(name).invalid("this names a secret of Kubernetes; give the secret itself, or %s", fileName)
	case file != "":
		given = strings.TrimRight(p.in(fileName).text(file), "\r\n")
		if given == "" {
			p.in(fileName).invalid("the file is empty")
		}
	}
	return model.NewSecret(given)
}
