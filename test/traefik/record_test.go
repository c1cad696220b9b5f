package traefik_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/test/instance"
)

var update = flag.Bool("update", false, "write what the Traefik answers as what the provider's fake answers")

// recording is what a real Traefik's API answered: the provider's own tests play it back, and have their fake answer
// alike.
const recording = "../../internal/provider/traefik/testdata/api.json"

// A recorded is what the file holds: all routers, and what is answered to questions for parts of them.
type recorded struct {
	Routers []any
	Pages   []page
}

type page struct {
	Query    string
	User     string
	Status   int
	NextPage string   `json:",omitempty"`
	Names    []string `json:",omitempty"`
}

// record compares what a Traefik answers with what was recorded.
func record(t *testing.T, _ string) {
	p := guarded(t)
	p.Start()
	address := "http://" + p.Address() + "/api/http/routers"
	var got recorded
	instance.Await(t, patience, "the Traefik knows its routers", func() bool {
		status, _ := ask(t, address+"?per_page=100000", "edge", &got.Routers)
		return status == http.StatusOK
	})
	for _, q := range []page{
		{Query: "", User: "edge"}, {Query: "per_page=100000", User: "edge"}, {Query: "per_page=3", User: "edge"},
		{Query: "per_page=3&page=2", User: "edge"}, {Query: "per_page=3&page=6", User: "edge"},
		{Query: "per_page=3&page=7", User: "edge"}, {Query: "per_page=0", User: "edge"}, {Query: "page=x", User: "edge"},
		{Query: "", User: "stranger"},
	} {
		var list []struct{ Name string }
		q.Status, q.NextPage = ask(t, address+"?"+q.Query, q.User, &list)
		for _, r := range list {
			q.Names = append(q.Names, r.Name)
		}
		got.Pages = append(got.Pages, q)
	}
	if *update {
		text, _ := json.MarshalIndent(&got, "", "  ")
		if err := os.WriteFile(recording, append(text, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile(recording)
	if err != nil {
		t.Fatal(err)
	}
	var want recorded
	read(t, text, &want)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the Traefik answers otherwise than it is recorded (- recorded, + now):\n%s", d)
	}
}

// ask asks the API, with the password, and reads a list.
func ask(t *testing.T, address, user string, into any) (status int, nextPage string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(user, "secret")
	answer, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode == http.StatusOK {
		read(t, body, into)
	}
	return answer.StatusCode, answer.Header.Get("X-Next-Page")
}

// read keeps numbers as they are: the priorities of internal routers are too large for others.
func read(t *testing.T, text []byte, into any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}
