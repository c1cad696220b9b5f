package file

import "github.com/fairlead/fairlead/internal/model"

// Locate returns where an object that was published last is defined, as "file:line"; see [dynamic.Document.Locate] for
// the field. "": nowhere here. It must not be called while Run does its work.
func (p *Provider) Locate(object model.Object, field string) string {
	if object.Source != p.source {
		return ""
	}
	for _, d := range p.files.View().Documents() { // the first definition of a name is the one that counts
		if at, ok := d.Locate(object, field); ok {
			return at
		}
	}
	return ""
}
