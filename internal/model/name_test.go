package model_test

import (
	"cmp"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/model"
)

func TestParseRef(t *testing.T) {
	cases := []struct {
		text string
		want model.Ref
	}{
		{"shop", model.Ref{Name: model.Name{Name: "shop"}}},
		{"shop@file", model.Ref{Name: model.Name{Name: "shop"}, Source: "file"}},
		{"shop@docker/host-a", model.Ref{Name: model.Name{Name: "shop"}, Source: "docker/host-a"}},
		{"prod/shop", model.Ref{Name: model.Name{Namespace: "prod", Name: "shop"}}},
		{"prod/shop@link/b", model.Ref{Name: model.Name{Namespace: "prod", Name: "shop"}, Source: "link/b"}},
		{"", model.Ref{}},
	}
	for _, tc := range cases {
		t.Run(tc.text, func(t *testing.T) {
			got := model.ParseRef(tc.text)
			if got != tc.want {
				t.Errorf("got %#v, want %#v", got, tc.want)
			}
			if got.String() != tc.text {
				t.Errorf("renders as %q", got)
			}
		})
	}
}

func TestParseRefReadsWhatStringWrites(t *testing.T) {
	part := rapid.StringMatching(`[a-z0-9._-]{1,8}`)
	rapid.Check(t, func(t *rapid.T) {
		ref := model.Ref{Name: model.Name{Name: part.Draw(t, "name")}}
		if rapid.Bool().Draw(t, "has a namespace") {
			ref.Name.Namespace = part.Draw(t, "namespace")
		}
		if rapid.Bool().Draw(t, "has a source") {
			ref.Source = model.Source(part.Draw(t, "kind") + "/" + part.Draw(t, "instance"))
		}
		if got := model.ParseRef(ref.String()); got != ref {
			t.Fatalf("%v is read back as %v", ref, got)
		}
	})
}

func TestSource(t *testing.T) {
	cases := []struct {
		source         model.Source
		kind, instance string
	}{
		{"docker/host-a", "docker", "host-a"},
		{model.LinkSource("frankfurt"), model.LinkKind, "frankfurt"},
		{model.LinkKind, "link", ""},
		{"", "", ""},
	}
	for _, tc := range cases {
		if got := tc.source.Kind(); got != tc.kind {
			t.Errorf("%q is of the kind %q, want %q", tc.source, got, tc.kind)
		}
		if got := tc.source.Instance(); got != tc.instance {
			t.Errorf("%q is the instance %q, want %q", tc.source, got, tc.instance)
		}
	}
}

func TestRefOrder(t *testing.T) {
	want := []model.Ref{
		{},
		{Name: model.Name{Name: "a"}},
		{Name: model.Name{Name: "a"}, Source: "docker/x"},
		{Name: model.Name{Name: "a"}, Source: "file/x"},
		{Name: model.Name{Name: "b"}},
		{Name: model.Name{Namespace: "n", Name: "a"}},
		{Name: model.Name{Namespace: "o"}},
	}
	for i, a := range want {
		for j, b := range want {
			if got := a.Compare(b); got != cmp.Compare(i, j) {
				t.Errorf("Compare(%v, %v) = %d", a, b, got)
			}
		}
	}
	for i, ref := range want {
		if ref.Name.IsZero() != (i == 0) {
			t.Errorf("%#v: zero is %v", ref.Name, ref.Name.IsZero())
		}
	}
}
