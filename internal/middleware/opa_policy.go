package middleware

import (
	"cmp"
	"compress/gzip"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	maxBundle   = 16 << 20 // as it is fetched
	maxUnpacked = 64 << 20 // all that is in it
)

// policy is what runs: compiled, and never changed.
type policy struct {
	allow   *rego.PreparedEvalQuery // nil: nothing is asked, everything is allowed
	derived map[string]rego.PreparedEvalQuery
}

// likePolicy is equal for definitions that make the same policy.
func likePolicy(spec *model.OPA) string {
	parts := []string{
		spec.Policy, spec.Sum, spec.Token.Reveal(), serverKeyOf(spec.Server), spec.Allow,
		fmt.Sprint(spec.Bundle != nil, spec.Forward, spec.Timeout, spec.Builtins, spec.Hosts),
	}
	if spec.Bundle != nil {
		parts = append(parts, fmt.Sprintf("%+v", *spec.Bundle))
	}
	if v := spec.Verification; v != nil {
		parts = append(parts, v.KeyID, v.Scope)
		for _, id := range slices.Sorted(maps.Keys(v.Keys)) {
			parts = append(parts, id, v.Keys[id].Algorithm, v.Keys[id].Key.Reveal())
		}
	}
	return likeOf("policy", parts...)
}

// source is a policy before it is compiled.
type source struct {
	modules map[string]*ast.Module
	data    map[string]any
	rule    string // that is asked where the definition names none; "": there is none
}

// readRego reads a policy. Policies of before OPA 1.0, which lack "if", are read, too.
func readRego(text string) (source, error) {
	module, err := ast.ParseModuleWithOpts("policy.rego", text, ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		old, oldErr := ast.ParseModuleWithOpts("policy.rego", text, ast.ParserOptions{RegoVersion: ast.RegoV0})
		if oldErr != nil {
			return source{}, err
		}
		module = old
	}
	s := source{modules: map[string]*ast.Module{"policy.rego": module}}
	for _, rule := range module.Rules {
		if rule.Head.Ref()[0].Value.Compare(ast.Var("allow")) == 0 {
			s.rule = module.Package.Path.String() + ".allow"
		}
	}
	return s, nil
}

// readBundle reads an archive.
func readBundle(archive string, v *model.OPAVerification) (source, error) {
	if err := fits(archive); err != nil {
		return source{}, err
	}
	reader := bundle.NewReader(strings.NewReader(archive)).WithSizeLimitBytes(maxUnpacked).WithLazyLoadingMode(false)
	if v == nil {
		reader = reader.WithSkipBundleVerification(true)
	} else {
		keys := make(map[string]*bundle.KeyConfig, len(v.Keys))
		for id, key := range v.Keys {
			keys[id] = &bundle.KeyConfig{Key: key.Key.Reveal(), Algorithm: key.Algorithm, Scope: v.Scope}
		}
		reader = reader.WithBundleVerificationConfig(bundle.NewVerificationConfig(keys, v.KeyID, v.Scope, nil))
	}
	b, err := reader.Read()
	if err != nil {
		return source{}, err
	}
	if b.Type() != bundle.SnapshotBundleType {
		return source{}, fmt.Errorf("it is a %s bundle; only whole ones are taken", b.Type())
	}
	return source{modules: b.ParsedModules("bundle"), data: b.Data}, nil
}

// compile makes what runs of a policy. It cannot reach out of itself, unless the definition lets it.
func (s source) compile(spec *model.OPA) (*policy, error) {
	can := ast.CapabilitiesForThisVersion()
	can.AllowNet = append([]string{}, spec.Hosts...) // nil would be all
	can.Builtins = slices.DeleteFunc(can.Builtins, func(b *ast.Builtin) bool {
		return reachesOut(b.Name) && !slices.Contains(spec.Builtins, b.Name)
	})
	compiler := ast.NewCompiler().WithCapabilities(can)
	if compiler.Compile(s.modules); compiler.Failed() {
		return nil, compiler.Errors
	}
	data := s.data
	if data == nil {
		data = map[string]any{}
	}
	store := inmem.NewFromObjectWithOpts(data, inmem.OptRoundTripOnWrite(false))
	p := &policy{derived: map[string]rego.PreparedEvalQuery{}}
	if question := cmp.Or(spec.Allow, s.rule); question != "" {
		q, err := prepare(question, compiler, store)
		if err != nil {
			return nil, fmt.Errorf("allow: %w", err)
		}
		p.allow = &q
	}
	for name, question := range spec.Forward {
		q, err := prepare(question, compiler, store)
		if err != nil {
			return nil, fmt.Errorf("forwardHeaders.%s: %w", name, err)
		}
		p.derived[http.CanonicalHeaderKey(name)] = q
	}
	return p, nil
}

// reachesOut says of a function of Rego whether it asks others than the policy, or tells of this machine.
func reachesOut(name string) bool {
	return name == "http.send" || name == "opa.runtime" || strings.HasPrefix(name, "net.lookup")
}

func prepare(question string, c *ast.Compiler, s storage.Store) (rego.PreparedEvalQuery, error) {
	return rego.New(rego.Query(question), rego.Compiler(c), rego.Store(s)).PrepareForEval(context.Background())
}

// fits looks at how much is in an archive before anything is made of it.
func fits(archive string) error {
	r, err := gzip.NewReader(strings.NewReader(archive))
	if err != nil {
		return fmt.Errorf("it is no tar.gz: %w", err)
	}
	switch n, err := io.Copy(io.Discard, io.LimitReader(r, maxUnpacked+1)); {
	case err != nil:
		return fmt.Errorf("it is no whole tar.gz: %w", err)
	case n > maxUnpacked:
		return errors.New("there are more than 64 MiB in it")
	}
	return nil
}

// decide answers the questions of the definition. A question without an answer is a no.
func (p *policy) decide(ctx context.Context, input map[string]any) (d decision, err error) {
	value, err := ast.InterfaceToValue(input)
	if err != nil {
		return d, err
	}
	if d.Allow = p.allow == nil; !d.Allow {
		result, err := evaluate(ctx, *p.allow, value)
		if err != nil || result == nil {
			return d, err
		}
		text, err := stdjson.Marshal(result)
		if err != nil {
			return d, err
		}
		if d, err = readDecision(text); err != nil || !d.Allow {
			return d, err
		}
	}
	d.derived = make(map[string]string, len(p.derived))
	for name, q := range p.derived {
		result, err := evaluate(ctx, q, value)
		if err != nil {
			return decision{}, err
		}
		if text := fieldText(result); len(text) <= maxDecision {
			d.derived[name] = text
		}
	}
	return d, nil
}

// evaluate returns the answer to a question; nil: there is none.
func evaluate(ctx context.Context, q rego.PreparedEvalQuery, input ast.Value) (any, error) {
	results, err := q.Eval(ctx, rego.EvalParsedInput(input))
	if err != nil || len(results) == 0 || len(results[0].Expressions) == 0 {
		return nil, err
	}
	return results[0].Expressions[0].Value, nil
}
