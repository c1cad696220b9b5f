package model_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/fairlead/fairlead/internal/model"
)

const password = "open-sesame"

// holder has a secret wherever a type may keep one.
type holder struct {
	Field   model.Secret
	List    []model.Secret
	Keys    map[model.Secret]int
	Pointer *model.Secret
	hidden  model.Secret
	hiddens []model.Secret
}

func TestSecretIsNeverPrinted(t *testing.T) {
	s := model.NewSecret(password)
	one, many := []model.Secret{s}, map[model.Secret]int{s: 1}
	values := map[string]any{
		"secret":     s,
		"pointer":    &s,
		"list":       one,
		"holder":     holder{s, one, many, &s, s, one},
		"pointed at": &holder{s, one, many, &s, s, one},
		"middleware": &model.Middleware{
			APIKey: &model.APIKey{Hashes: one}, BasicAuth: &model.BasicAuth{Users: one},
		},
	}
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			for format, text := range renderings(value) {
				if strings.Contains(text, password) {
					t.Errorf("%s shows the secret: %s", format, text)
				}
			}
		})
	}
}

// renderings are the ways in which a value gets out of the process, by their names.
func renderings(value any) map[string]string {
	texts := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		texts[verb] = fmt.Sprintf(verb, value)
	}
	texts["print"] = fmt.Sprint(value)
	var text, object, xmlText, gobText bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", value)
	slog.New(slog.NewJSONHandler(&object, nil)).Info("m", "v", value)
	texts["slog text"], texts["slog JSON"] = text.String(), object.String()
	// What refuses to encode shows nothing either.
	asJSON, _ := json.Marshal(value)
	asYAML, _ := yaml.Marshal(value)
	_ = xml.NewEncoder(&xmlText).Encode(value)
	_ = gob.NewEncoder(&gobText).Encode(value)
	texts["JSON"], texts["YAML"] = string(asJSON), string(asYAML)
	texts["XML"], texts["gob"] = xmlText.String(), gobText.String()
	return texts
}

func TestSecretRendersAsRedacted(t *testing.T) {
	s := model.NewSecret(password)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		if got := fmt.Sprintf(verb, s); got != "[secret]" {
			t.Errorf("%s is %q", verb, got)
		}
	}
	got, err := json.Marshal(map[string]any{"value": s, "keys": map[model.Secret]bool{s: true}})
	if want := `{"keys":{"[secret]":true},"value":"[secret]"}`; err != nil || string(got) != want {
		t.Errorf("JSON is %s (%v), want %s", got, err, want)
	}
}

// What was redacted must not come back as a credential.
func TestSecretIsNotRead(t *testing.T) {
	var key model.APIKey
	if err := json.Unmarshal([]byte(`{"hashes":["[secret]"]}`), &key); err == nil {
		t.Errorf("accepted as the secret %q", key.Hashes[0].Reveal())
	}
}

func TestSecretComparesByText(t *testing.T) {
	a, b, c := model.NewSecret("x"), model.NewSecret("xx"[:1]), model.NewSecret("y")
	if a != b || !reflect.DeepEqual(a, b) {
		t.Error("the same text makes different secrets")
	}
	if a == c || reflect.DeepEqual(a, c) {
		t.Error("different texts make the same secret")
	}
	if a.Reveal() != "x" || c.Reveal() != "y" {
		t.Error("reveals another text")
	}
	if zero := (model.Secret{}); zero.Reveal() != "" || zero != model.NewSecret("") {
		t.Error("the zero secret is not the empty text")
	}
}
