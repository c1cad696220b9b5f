package dynamic

import (
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

func TestLocate(t *testing.T) {
	yaml := decodeFile(t, "a.yaml", `http:
  routers:
    shop:
      rule: Path(`+"`/`"+`)
      Service: shop
      middlewares:
        - keys
    Shop: {rule: "", service: shop}
    empty:
  services:
    shop:
      weighted: {services: []}
  middlewares:
    keys:
      apiKey:
        hashes:
          - one
          - two
`)
	toml := decodeFile(t, "b.toml", "[http.routers.shop]\nrule = \"x\"\n\n[http.routers.shop.tls]\n")
	for _, test := range []struct {
		doc               *Document
		kind, name, field string
		want              string // "": not there
	}{
		{yaml, model.KindRoute, "shop", "", "a.yaml:3"},
		{yaml, model.KindRoute, "shop", "rule", "a.yaml:4"},
		{yaml, model.KindRoute, "shop", "services", "a.yaml:5"},
		{yaml, model.KindRoute, "shop", "middlewares", "a.yaml:6"},
		{yaml, model.KindRoute, "shop", "middlewares[0]", "a.yaml:7"},
		{yaml, model.KindRoute, "shop", "entryPoints", "a.yaml:3"},
		{yaml, model.KindRoute, "Shop", "rule", "a.yaml:8"},
		{yaml, model.KindRoute, "empty", "services", "a.yaml:9"},
		{yaml, model.KindRoute, "SHOP", "", ""},
		{yaml, model.KindRoute, "prod/shop", "", ""},
		{yaml, model.KindService, "shop", "", "a.yaml:11"},
		{yaml, model.KindService, "shop", "services", "a.yaml:11"},
		{yaml, model.KindService, "shop", "weighted.services", "a.yaml:12"},
		{yaml, model.KindMiddleware, "keys", "", "a.yaml:14"},
		{yaml, model.KindMiddleware, "keys", "apiKey.hashes[1]", "a.yaml:18"},
		{yaml, model.KindMiddleware, "keys", "apiKey.hashes[2]", "a.yaml:16"},
		{yaml, model.KindMiddleware, "keys", "apiKey.scope", "a.yaml:15"},
		{yaml, model.KindMiddleware, "shop", "", ""},
		{yaml, model.KindSource, "shop", "", ""},
		{toml, model.KindRoute, "shop", "", "b.toml:1"},
		{toml, model.KindRoute, "shop", "rule", "b.toml:2"},
		{toml, model.KindRoute, "shop", "tls", "b.toml:4"},
		{toml, model.KindService, "shop", "", ""},
	} {
		object := model.Object{Kind: test.kind, Ref: model.Ref{Name: model.ParseName(test.name), Source: "file/x"}}
		got, ok := test.doc.Locate(object, test.field)
		if got != test.want || ok != (test.want != "") {
			t.Errorf("%s %q: %q, %v; want %q", object, test.field, got, ok, test.want)
		}
	}
}

// Whatever a file holds, to look for something in it must not fail.
func TestLocateInOddDocuments(t *testing.T) {
	object := model.Object{Kind: model.KindRoute, Ref: model.Ref{Name: model.Name{Name: "r"}}}
	for text, want := range map[string]string{
		"":                                 "",
		"http: []":                         "",
		"http: {routers: []}":              "",
		"http: {routers: {r: 1}}":          "a.yaml:1",
		"http: {routers:\n  {r: [1]}}":     "a.yaml:2",
		"http:\n  routers:\n    r: {rule}": "a.yaml:3",
	} {
		got, _ := decodeFile(t, "a.yaml", text).Locate(object, "rule")
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
