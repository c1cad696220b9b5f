package dynamic

import (
	"mime"
	"slices"

	"github.com/fairlead/fairlead/internal/model"
)

type compress struct {
	ExcludedContentTypes []string `doc:"excludedContentTypes"`
	IncludedContentTypes []string `doc:"includedContentTypes"`
	MinResponseBodyBytes int      `doc:"minResponseBodyBytes"`
	Encodings            []string `doc:"encodings"`
	DefaultEncoding      string   `doc:"defaultEncoding"`
}

func (*compress) gaps() []gap { return nil }

func (c *compress) build(at place, m *model.Middleware) {
	known := []string{"gzip", "br", "zstd"}
	for i, e := range c.Encodings {
		if !slices.Contains(known, e) {
			at.in("encodings", i).invalid("%q is not supported; it is one of gzip, br and zstd", e)
		}
	}
	if c.Encodings != nil {
		known = c.Encodings
	}
	if c.DefaultEncoding != "" && !slices.Contains(known, c.DefaultEncoding) {
		at.in("defaultEncoding").invalid("%q is none of the encodings", c.DefaultEncoding)
	}
	if len(c.IncludedContentTypes) > 0 && len(c.ExcludedContentTypes) > 0 {
		at.in("includedContentTypes").invalid("give includedContentTypes or excludedContentTypes")
	}
	const most = 1 << 20
	if c.MinResponseBodyBytes < 0 || c.MinResponseBodyBytes > most {
		at.in("minResponseBodyBytes").invalid("%d is out of range; it is from 0 to %d", c.MinResponseBodyBytes, most)
	}
	m.Compress = &model.Compress{
		Encodings: c.Encodings, DefaultEncoding: c.DefaultEncoding, MinBytes: c.MinResponseBodyBytes,
		Included: at.in("includedContentTypes").mediaTypes(c.IncludedContentTypes),
		Excluded: at.in("excludedContentTypes").mediaTypes(c.ExcludedContentTypes),
	}
}

func (p place) mediaTypes(list []string) []string {
	for i, t := range list {
		if _, _, err := mime.ParseMediaType(t); err != nil {
			p.in(i).invalid("%q is no media type; write it like text/html", t)
		}
	}
	return list
}
