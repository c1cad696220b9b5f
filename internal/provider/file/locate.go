package file

import "github.com/fairlead/fairlead/internal/model"

// Locate returns where an object that was published last is defined, as "file:line"; see [dynamic.Document.Locate] for
// the field. "": nowhere here. It must not be called while Run does its work.
func (p *Provider) Locate(object model.Object, field string) string {
	if object.Source != p.config.Source {
		return ""
	}
	for _, path := range p.known.files { // in the order in which the first definition of a name is the one that counts
		c := p.known.contents[path]
		if c.good == nil {
			continue
		}
		if at, ok := c.good.Locate(object, field); ok {
			return at
		}
	}
	return ""
}
