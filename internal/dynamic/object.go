package dynamic

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

// object is one object of the snapshot while it is built, and the way to report what is wrong with it.
type object struct {
	kind string
	path string // as the owner writes it: "http.routers.shop"
	ref  model.Ref
	node *document.Node
	at   document.Position // of its name

	around *surroundings
	looked bool // at them

	problems []model.Problem

	misnamed bool     // nothing can refer to it by its name
	faults   []int    // of the problems, those for which it is not served as it is written
	blamed   []string // the fields of these, in lower case
}

// gap is a key of the format that is known and not supported yet.
type gap struct {
	path   string // from the object: "loadBalancer.sticky"
	effect effect
}

// effect is what becomes of an object that has the key.
type effect int

const (
	ignored effect = iota // it is served as if the key were not there
	left                  // a fault: without the key it would admit or do what its owner does not want
)

func (o *object) report(code model.Code, field string, at document.Position, message string) {
	path := o.path
	if field != "" {
		path += "." + field
	}
	o.problems = append(o.problems, model.Problem{
		Object: model.Object{Kind: o.kind, Ref: o.ref}, Field: path, Code: code, Message: message, At: at.String(),
	})
}

// fault reports a problem for which the object cannot be served as it is written.
func (o *object) fault(code model.Code, field string, at document.Position, message string) {
	o.faults = append(o.faults, len(o.problems))
	o.blamed = append(o.blamed, strings.ToLower(field))
	o.report(code, field, at, message)
}

// look returns what is around. Who has looked is made anew for each snapshot.
func (o *object) look() *surroundings {
	o.looked = true
	return o.around
}

func (o *object) faulty() bool { return len(o.faults) > 0 }

// conclude adds to the messages of the faults what becomes of the object.
func (o *object) conclude(effect string) {
	for _, i := range o.faults {
		o.problems[i].Message += "; " + effect
	}
}

// mistakes reports what the decoder found. In routes and middlewares an unknown key is a fault: it may be the misspelt
// name of what should guard them.
func (o *object) mistakes(found []document.Mistake, gaps []gap) {
	for _, m := range found {
		switch {
		case m.Unknown && o.gap(m, gaps):
		case m.Unknown && o.kind == model.KindService:
			o.report(model.UnknownField, m.Field, m.At, m.Message+"; it is ignored")
		default:
			o.fault(code(m), m.Field, m.At, m.Message)
		}
	}
}

// blames reports whether a mistake at the field, or inside it, was reported already; then there is no use in saying
// that its value is missing.
func (o *object) blames(field string) bool {
	field = strings.ToLower(field)
	return slices.ContainsFunc(o.blamed, func(m string) bool {
		inside, ok := strings.CutPrefix(m, field)
		return ok && (field == "" || inside == "" || inside[0] == '.' || inside[0] == '[')
	})
}

// gap reports the unknown key if it is one of the gaps.
func (o *object) gap(m document.Mistake, gaps []gap) bool {
	for _, g := range gaps {
		if !strings.EqualFold(g.path, withoutIndexes(m.Field)) {
			continue
		}
		if m.Value.Kind == document.Map || !isEmpty(m.Value) { // an empty map asks for the defaults of what it is about
			o.unsupported(m.Field, m.At, g.effect)
		}
		return true
	}
	return false
}

func (o *object) unsupported(field string, at document.Position, e effect) {
	if e == left {
		o.fault(model.Unsupported, field, at, "this is not supported yet, and cannot be left out")
		return
	}
	o.report(model.Unsupported, field, at, "this is not supported yet; it is ignored")
}

// withoutIndexes turns "servers[0].url" into "servers.url".
func withoutIndexes(field string) string {
	for {
		before, rest, ok := strings.Cut(field, "[")
		_, after, closed := strings.Cut(rest, "]")
		if !ok || !closed {
			return field
		}
		field = before + after
	}
}

// place is one value of an object, named by keys and, where it is in a list, indexes. It costs next to nothing until
// something is wrong there.
type place struct {
	object *object
	path   []any // string or int
}

func (o *object) in(path ...any) place { return place{o, path} }

func (p place) in(path ...any) place { return place{p.object, slices.Concat(p.path, path)} }

func (p place) at() document.Position {
	names := make([]string, len(p.path))
	for i, name := range p.path {
		names[i] = fmt.Sprint(name)
	}
	if len(names) == 0 || p.object.node.Field(names[0]) == nil {
		return p.object.at
	}
	return p.object.node.Locate(names...)
}

func (p place) field() string {
	var b strings.Builder
	for i, name := range p.path {
		switch name := name.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(name) + "]")
		case string:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(name)
		}
	}
	return b.String()
}

// invalid reports a value that cannot be, a fault. The message must not hold secrets.
func (p place) invalid(format string, args ...any) {
	if !p.isBlamed() {
		p.object.fault(model.InvalidField, p.field(), p.at(), fmt.Sprintf(format, args...))
	}
}

func (p place) isBlamed() bool { return p.object.blames(p.field()) }

// deprecated reports an old name that is served all the same.
func (p place) deprecated(message string) {
	p.object.report(model.Deprecated, p.field(), p.at(), message)
}

func (p place) unsupported(e effect) { p.object.unsupported(p.field(), p.at(), e) }

// ref reads a reference to another object: "name" (of this source), "name@kind" or "name@kind/instance". What is none
// is a fault, and the zero reference.
func (p place) ref(s string) model.Ref {
	r := model.ParseRef(s)
	switch _, source, ok := strings.Cut(s, "@"); {
	case r.Name.Name == "":
		p.invalid(`expected a name, "name@source" or "name@kind/instance"`)
		return model.Ref{}
	case ok && (source == "" || strings.Contains(source, "@")):
		p.invalid(`%q is no reference; write "name@source"`, s)
		return model.Ref{}
	case !ok:
		r.Source = p.object.ref.Source
	}
	r.Lane = p.object.ref.Lane
	return r
}

// checkName says why an object cannot have the name.
func checkName(name string) error {
	const longest = 250
	switch {
	case name == "":
		return errors.New("the name is empty")
	case len(name) > longest:
		return fmt.Errorf("the name is longer than %d bytes", longest)
	case strings.ContainsAny(name, "@/"):
		return errors.New(`a name cannot hold "@" or "/": they separate it from source and namespace in references`)
	}
	if err := plain(name); err != nil {
		return errors.New("the name holds a control character")
	}
	return nil
}
