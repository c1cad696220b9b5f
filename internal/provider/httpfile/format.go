package httpfile

import (
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
)

// formatOf returns the format of a response's document, as the extension of a file: what its Content-Type says, else
// what the end of the URL's path says, else YAML, of which JSON is a part.
func formatOf(response *http.Response) (string, error) {
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	subtype := kind[strings.Index(kind, "/")+1:]
	switch strings.TrimPrefix(subtype, "x-") {
	case "json":
		return ".json", nil
	case "yaml", "yml":
		return ".yaml", nil
	case "toml":
		return ".toml", nil
	case "html", "xhtml+xml":
		return "", fmt.Errorf("its answer is a page for people (%s)", kind)
	}
	if end := extension(response.Request.URL.Path); end != "" {
		return end, nil
	}
	return ".yaml", nil
}

// extension returns the format that the end of a path says; "": none.
func extension(p string) string {
	switch end := strings.ToLower(path.Ext(p)); end {
	case ".json", ".toml", ".yaml":
		return end
	case ".yml":
		return ".yaml"
	}
	return ""
}
