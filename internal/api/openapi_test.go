package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write openapi.json and what is expected in testdata")

// operation is what the document says of an endpoint besides what the endpoint says itself.
type operation struct {
	summary string
	answer  any // a zero value of what a good answer holds; nil: nothing
	body    any // likewise, of the request; nil: nothing
	status  int // of a good answer; 0: 200
}

func operations() map[string]operation {
	return map[string]operation{
		"GET /healthz":                  {summary: "The process lives", answer: Status{}},
		"GET /readyz":                   {summary: "Clients may be sent here", answer: Status{}},
		"GET /api/v1/clusters":          {summary: "The own cluster, and those that are followed", answer: List[Cluster]{}},
		"GET /api/v1/events":            {summary: "Changes, as server-sent events", answer: ""},
		"GET /api/v1/explain":           {summary: "Where a request would go, and why", answer: Explanation{}},
		"GET /api/v1/hosts":             {summary: "Live state of addresses", answer: List[Host]{}},
		"GET /api/v1/keys":              {summary: "API keys", answer: List[Key]{}},
		"POST /api/v1/keys":             {summary: "Make an API key", answer: IssuedKey{}, body: KeySpec{}, status: 201},
		"GET /api/v1/keys/{id}":         {summary: "One API key", answer: Key{}},
		"DELETE /api/v1/keys/{id}":      {summary: "End an API key and its sessions, for ever", status: 204},
		"POST /api/v1/keys/{id}/rotate": {summary: "Give an API key a new secret", answer: IssuedKey{}, body: Rotation{}},
		"GET /api/v1/openapi.json":      {summary: "This document", answer: map[string]any{}},
		"GET /api/v1/problems":          {summary: "What is wrong", answer: List[Problem]{}},
		"GET /api/v1/providers":         {summary: "Where routes and services come from", answer: List[Provider]{}},
		"GET /api/v1/registrations":     {summary: "Instances that registered themselves", answer: List[Registration]{}},
		"PUT /api/v1/registrations/{service}/{address}": {
			summary: "Register an instance of a service, or renew its lease", answer: Registration{}, body: RegistrationSpec{},
		},
		"DELETE /api/v1/registrations/{service}/{address}": {summary: "Take an instance of a service away", status: 204},
		"GET /api/v1/routes":   {summary: "Routes", answer: List[Route]{}},
		"GET /api/v1/services": {summary: "Services, and each cluster's part of them", answer: List[Service]{}},
		"GET /api/v1/version":  {summary: "Which program answers", answer: Version{}},
	}
}

var parameterTexts = map[string]string{
	"name":       "Only objects of this name: \"name\" or \"name@source\"; a host's address; a provider's source",
	"cluster":    "Only what belongs to this cluster",
	"url":        "Absolute URL of the request",
	"method":     "Method; GET where it is left out",
	"header":     "\"Name: value\"; may be given again",
	"alpn":       "A protocol that the client of a stream offers with TLS; may be given several times.",
	"clientIP":   "Address of the client",
	"entryPoint": "Where the request comes in; left out: as the URL's scheme and port say",
}

// The document is what the endpoints, the wire types and their comments say.
func TestOpenAPIIsUpToDate(t *testing.T) {
	want := generate(t)
	if *update {
		if err := os.WriteFile("openapi.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(want), string(openAPI)); diff != "" {
		t.Errorf("openapi.json is not up to date: go test ./internal/api -update\n%s", diff)
	}
}

func TestOpenAPIIsValid(t *testing.T) {
	doc := loadOpenAPI(t)
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	there := 0
	for _, item := range doc.Paths.Map() {
		there += len(item.Operations())
	}
	all := new(server).endpoints()
	for _, e := range all {
		if item := doc.Paths.Value(e.path); item == nil || item.GetOperation(e.method) == nil {
			t.Errorf("%s %s is not in the document", e.method, e.path)
		}
	}
	if there != len(all) {
		t.Errorf("the document has %d operations, the API %d", there, len(all))
	}
}

func loadOpenAPI(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	for _, schema := range doc.Components.Schemas {
		schema.Value.AdditionalProperties.Has = &closed // here, what the document does not know is a mistake
	}
	return doc
}

type object = map[string]any

// generator makes the document.
type generator struct {
	t        *testing.T
	comments map[string]string // by "Type" and "Type.Field"
	schemas  object
}

func generate(t *testing.T) []byte {
	t.Helper()
	g := &generator{t, commentsOf(t, "types.go"), object{}}
	paths := object{}
	for _, e := range new(server).endpoints() {
		item, ok := paths[e.path].(object)
		if !ok {
			item = object{}
			paths[e.path] = item
		}
		item[strings.ToLower(e.method)] = g.operation(e)
	}
	g.schema(reflect.TypeFor[Error]())
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	err := out.Encode(object{
		"openapi": "3.0.3",
		"info": object{
			"title": "Fairlead management API", "version": "v1",
			"description": "What an instance serves, from where, how that does, and the keys that open it.\n\n" + wireText,
			"license":     object{"name": "Apache-2.0"},
		},
		"paths": paths,
		"components": object{
			"schemas":         g.schemas,
			"securitySchemes": object{"key": object{"type": "http", "scheme": "bearer", "bearerFormat": "flk_…"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const wireText = "Names are \"namespace/name\", or \"name\" where the source knows no namespaces; references are " +
	"\"name@source\". Lists are sorted. Answers with an ETag may be asked for with If-None-Match. Fields may be added."

func (g *generator) operation(e endpoint) object {
	said, ok := operations()[e.method+" "+e.path]
	if !ok {
		g.t.Errorf("nothing says what %s %s does", e.method, e.path)
	}
	op := object{"summary": said.summary, "responses": g.responses(said)}
	if e.scope != anybody {
		op["security"] = []any{object{"key": []any{}}}
		op["description"] = fmt.Sprintf("Needs a key with the scope %s.", e.scope)
	}
	if parameters := g.parameters(e); len(parameters) > 0 {
		op["parameters"] = parameters
	}
	if said.body != nil {
		op["requestBody"] = object{"required": true, "content": object{
			"application/json": object{"schema": g.schema(reflect.TypeOf(said.body))},
		}}
	}
	return op
}

func (g *generator) responses(said operation) object {
	status := said.status
	if status == 0 {
		status = 200
	}
	good := object{"description": said.summary}
	kind := "application/json"
	if said.answer == "" {
		kind = "text/event-stream"
		good["description"] = "Events of the type \"change\", whose data is a Change"
		g.schema(reflect.TypeFor[Change]())
	}
	if said.answer != nil {
		good["content"] = object{kind: object{"schema": g.schema(reflect.TypeOf(said.answer))}}
	}
	return object{
		fmt.Sprint(status): good,
		"304":              object{"description": "It is still what If-None-Match names"},
		"default": object{
			"description": "The request is refused, or failed",
			"content":     object{"application/problem+json": object{"schema": g.schema(reflect.TypeFor[Error]())}},
		},
	}
}

func (g *generator) parameters(e endpoint) (list []any) {
	for _, match := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(e.path, -1) {
		list = append(list, object{
			"name": match[1], "in": "path", "required": true, "schema": object{"type": "string"},
		})
	}
	for _, name := range e.query {
		text, ok := parameterTexts[name]
		if !ok {
			g.t.Errorf("nothing says what the parameter %s means", name)
		}
		schema := object{"type": "string"}
		if name == "header" || name == "name" || name == "cluster" {
			schema = object{"type": "array", "items": schema}
		}
		list = append(list, object{
			"name": name, "in": "query", "required": name == "url", "description": text, "schema": schema,
		})
	}
	return list
}

// schema returns the schema of a type; that of a struct goes under its name to the components.
func (g *generator) schema(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t.Kind() == reflect.Pointer:
		return g.schema(t.Elem())
	case t.Kind() == reflect.Slice:
		return object{"type": "array", "items": g.schema(t.Elem())}
	case t.Kind() == reflect.Map:
		return object{"type": "object"}
	case t.Kind() == reflect.Bool:
		return object{"type": "boolean"}
	case t.Kind() == reflect.String:
		return object{"type": "string"}
	case t.Kind() == reflect.Float64:
		return object{"type": "number"}
	case reflect.Zero(t).CanInt():
		return object{"type": "integer"}
	case reflect.Zero(t).CanUint():
		return object{"type": "integer", "minimum": 0}
	case strings.HasPrefix(t.Name(), "List["):
		return g.fields(t, "List")
	}
	if g.schemas[t.Name()] == nil {
		g.schemas[t.Name()] = object{} // a type may hold itself
		g.schemas[t.Name()] = g.fields(t, t.Name())
	}
	return object{"$ref": "#/components/schemas/" + t.Name()}
}

func (g *generator) fields(t reflect.Type, name string) object {
	properties, required := object{}, []any{}
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		property := g.schema(f.Type)
		if comment := g.comments[name+"."+f.Name]; comment != "" {
			if property["$ref"] != nil { // what stands beside a reference is ignored
				property = object{"allOf": []any{property}}
			}
			property["description"] = comment
		}
		if values := f.Tag.Get("enum"); values != "" {
			property["enum"] = strings.Split(values, ",")
		}
		properties[key] = property
		if !strings.Contains(options, "omit") {
			required = append(required, key)
		}
	}
	schema := object{"type": "object", "properties": properties}
	// What is sent is read strictly; to answers, fields may be added.
	if slices.Contains([]string{"KeySpec", "Rotation", "RegistrationSpec"}, name) {
		schema["additionalProperties"] = false
	}
	if len(required) > 0 {
		schema["required"] = required
	}
	if comment := g.comments[name]; comment != "" {
		schema["description"] = comment
	}
	return schema
}

// commentsOf returns the comments of the types of a file and of their fields.
func commentsOf(t *testing.T, file string) map[string]string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.NewReplacer("\n", " ", "[", "", "]", "")
	comments := make(map[string]string)
	for _, decl := range parsed.Decls {
		d, ok := decl.(*ast.GenDecl)
		if !ok || d.Tok != token.TYPE {
			continue
		}
		spec := d.Specs[0].(*ast.TypeSpec)
		comments[spec.Name.Name] = strings.TrimSpace(plain.Replace(d.Doc.Text()))
		for _, f := range spec.Type.(*ast.StructType).Fields.List {
			text := strings.TrimSpace(plain.Replace(f.Doc.Text() + " " + f.Comment.Text()))
			for _, name := range f.Names {
				comments[spec.Name.Name+"."+name.Name] = text
			}
		}
	}
	return comments
}
