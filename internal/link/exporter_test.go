package link

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// call makes one request of an exporter, with a key.
func (c *cluster) call(method, path, key, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if key != "" {
		r.Header.Set("Authorization", key)
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w
}

func TestExport(t *testing.T) {
	c := newCluster("fra")
	c.epoch = "E"
	equal(t, "before the first publish", c.call("GET", PathExport, "Bearer good", "").Code, http.StatusServiceUnavailable)
	equal(t, "watch before it", c.call("GET", PathWatch, "Bearer good", "").Code, http.StatusServiceUnavailable)
	c.has("team/shop", 1, 2)
	shop := route("team/shop")
	shop.Export.As = model.ParseName("shop")
	shop.Middlewares = []model.Ref{model.ParseRef("auth@file")}
	shop.Match = model.Match{Of: []model.Match{shop.Match, model.Leaf(model.PathPrefix, "/x")}}
	shop.Timeouts.Header = 100 * time.Microsecond
	c.Publish(snapshot(shop, route("b")))
	got := c.call("GET", PathExport, "bearer good", "").Body.String()
	want := `{"version":1,"cluster":"fra","epoch":"E","rev":1,` +
		`"services":[{"name":"b","ready":0,"total":0},{"name":"shop","ready":1,"total":2}],` +
		`"routes":[{"name":"b","service":"b","match":{"op":"is","test":"Host","value":"b.example"},"priority":10},` +
		`{"name":"team/shop","service":"shop","match":{"of":[{"op":"is","test":"Host","value":"team/shop.example"},` +
		`{"op":"is","test":"PathPrefix","value":"/x"}]},"priority":10,"timeouts":{"headerMs":1}}]}` + "\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhoMayCall(t *testing.T) {
	c := newCluster("fra")
	c.Publish(snapshot())
	var unauthorized []string
	for _, test := range []struct {
		method, path, key string
		status            int
		reason            string
	}{
		{"GET", PathExport, "Bearer good", 200, ""},
		{"GET", PathExport, "Bearer weak", 403, "scope"},
		{"GET", PathWatch, "Bearer weak", 403, "scope"},
		{"POST", PathProblems, "Bearer weak", 403, "scope"},
		{"GET", PathHealth, "Bearer weak", 204, ""},
		{"GET", PathHealth, "", 401, "bad_key"},
		{"GET", PathExport, "Bearer wrong", 401, "bad_key"},
		{"GET", PathExport, "Basic good", 401, "bad_key"},
		{"GET", PathExport, "good", 401, "bad_key"},
		{"GET", PathExport + "?key=good", "", 401, "bad_key"},
		{"POST", PathExport, "Bearer good", 405, ""},
		{"HEAD", PathWatch, "Bearer good", 405, ""},
		{"GET", PathProblems, "Bearer good", 405, ""},
		{"GET", "/link/v1/other", "Bearer good", 404, ""},
	} {
		c.refused = nil
		w := c.call(test.method, test.path, test.key, "")
		what := text(test.method, test.path, test.key)
		equal(t, what, w.Code, test.status)
		equal(t, what, strings.Join(c.refused, " "), test.reason)
		if w.Code == 401 {
			unauthorized = append(unauthorized, fmt.Sprint(w.Header(), w.Body))
		}
	}
	if answers := slices.Compact(unauthorized); len(answers) != 1 {
		t.Errorf("answers to bad keys differ: %q", answers)
	}
	r := httptest.NewRequest("GET", PathExport, nil)
	r.Header["Authorization"] = []string{"Bearer good", "Bearer good"}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	equal(t, "two keys", w.Code, 401)
}

func TestOffered(t *testing.T) {
	to := func(refs ...string) (out []model.Backend) {
		for _, r := range refs {
			out = append(out, model.Backend{Service: model.ParseRef(r), Weight: 1})
		}
		return out
	}
	for _, test := range []struct {
		name     string
		change   func(*model.Route)
		own, all bool // left in without and with transit
	}{
		{"ours", func(*model.Route) {}, true, true},
		{"not offered", func(r *model.Route) { r.Export.Offered = false }, false, false},
		{"without a service", func(r *model.Route) { r.Backends = nil }, false, false},
		{"of a link", func(r *model.Route) { r.Source = "link/par" }, false, true},
		{"to a service of links", func(r *model.Route) { r.Backends = to("shop@link") }, false, true},
		{"to a service of one link", func(r *model.Route) { r.Backends = to("shop@link/par") }, false, true},
		{"to both", func(r *model.Route) { r.Backends = to("shop@link", "shop@file") }, true, true},
		{"weighted, far", func(r *model.Route) { r.Backends = to("far") }, false, true},
		{"weighted, far, by kind", func(r *model.Route) { r.Backends = to("far@file") }, false, true},
		{"weighted, near", func(r *model.Route) { r.Backends = to("near") }, true, true},
		{"circle", func(r *model.Route) { r.Backends = to("circle") }, false, true},
		{"unknown service", func(r *model.Route) { r.Backends = to("unknown") }, true, true},
	} {
		r := route("shop")
		test.change(r)
		s := &model.Snapshot{Routes: []*model.Route{r}, Services: []*model.Service{
			{Name: model.ParseName("shop"), Source: "file/main"},
			{Name: model.ParseName("far"), Source: "file/main", Backends: to("shop@link")},
			{Name: model.ParseName("near"), Source: "file/main", Backends: to("far", "shop")},
			{Name: model.ParseName("circle"), Source: "file/main", Backends: to("far", "circle")},
		}}
		s.Sort()
		equal(t, test.name, len(Offered(s, false)) == 1, test.own)
		equal(t, test.name+", transit", len(Offered(s, true)) == 1, test.all)
	}
}

func TestNamesOnTheWireAreUnique(t *testing.T) {
	a, b, other := route("shop"), route("shop"), route("shop")
	b.Source, other.Source = "docker/a", "file/z"
	b.Backends = append(b.Backends, model.Backend{Service: model.ParseRef("canary"), Weight: 1})
	s := snapshot(a, b, other)
	taken := route("shop~file-z")
	s.Routes = append(s.Routes, taken)
	s.Sort()
	list := show(s.Routes)
	var names []string
	for _, r := range list {
		names = append(names, r.wireName())
	}
	equal(t, "names", strings.Join(names, " "), "shop shop~file-main shop~file-z~ shop~file-z")
	equal(t, "the first", list[0].Route, b)
	refs := fmt.Sprint(leadsTo(map[model.Name]bool{a.Name: true}, list)[a.Name])
	equal(t, "what the service stands for", refs, "[canary@docker/a shop@docker/a shop@file/main shop@file/z]")
	c := newCluster("fra")
	for i, name := range []string{"canary", "shop"} {
		c.has(name, i+1, 10)
	}
	c.Publish(s)
	if got := c.call("GET", PathExport, "Bearer good", "").Body.String(); !strings.Contains(got,
		`"services":[{"name":"shop","ready":7,"total":40},{"name":"shop~file-z","ready":0,"total":0}]`) {
		t.Error(got)
	}

	// When the first goes, the next takes its name.
	c.Publish(snapshot(a, other))
	got := c.call("GET", PathExport, "Bearer good", "").Body.String()
	for _, want := range []string{`"routes":[{"name":"shop",`, `{"name":"shop~file-z",`} {
		if !strings.Contains(got, want) || strings.Count(got, `"match"`) != 2 {
			t.Errorf("no %s, or more than two routes:\n%s", want, got)
		}
	}
}

func TestWatchesPerKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("fra")
		c.o.WatchesPerKey = 2
		c.Publish(snapshot())
		stopCluster := start(c.Run)
		net := &memory{hosts: map[string]*host{"x:1": c.host}}
		var stops []func() error
		edges := make([]*edge, 3)
		for i := range edges {
			edges[i] = newEdge(net, nil, "x:1")
			stops = append(stops, edges[i].run())
			wait(0)
		}
		equal(t, "third", edges[2].State().LastError, "x:1: the API key has too many watches open (429)")
		_ = stops[0]()
		wait(2 * time.Second)
		equal(t, "third, when the first is gone", edges[2].State().Connected, true)
		_, _, _ = stops[1](), stops[2](), stopCluster()
	})
}

func TestVersionIsAgreed(t *testing.T) {
	for said, want := range map[string]string{"": "1 <nil>", "1": "1 <nil>", "7": "1 <nil>",
		"0": "0 Fairlead-Link-Version is not a version of the link protocol",
		"x": "0 Fairlead-Link-Version is not a version of the link protocol"} {
		v, err := agree(http.Header{versionField: {said}})
		equal(t, "version "+said, text(v, err), want)
	}
}

// stuck is a follower that does not read.
type stuck struct {
	http.ResponseWriter
	release chan struct{}
}

func (s *stuck) Write(p []byte) (int, error) { <-s.release; return 0, io.ErrClosedPipe }

func (s *stuck) SetWriteDeadline(at time.Time) error {
	if !at.After(time.Now()) {
		close(s.release)
	}
	return nil
}

func TestRevocationInterruptsAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("fra")
		c.Publish(snapshot())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r := httptest.NewRequest("GET", PathWatch, nil)
			r.Header.Set("Authorization", "Bearer good")
			c.ServeHTTP(&stuck{httptest.NewRecorder(), make(chan struct{})}, r)
		}()
		synctest.Wait()
		c.keys.revoke("good")
		<-done
	})
}

func TestReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("fra")
		c.Publish(snapshot(route("shop"), route("blog")))
		stopCluster := start(c.Run)
		net := &memory{hosts: map[string]*host{"x:1": c.host}}
		e := newEdge(net, func(o *FollowerOptions) { o.Grant.Hosts = []string{"shop.example"} }, "x:1")
		stop := e.run()
		wait(2 * time.Second)
		s, _ := e.got()
		refused := model.Problem{
			Object:  model.Object{Kind: model.KindRoute, Ref: model.ParseRef("blog@link/fra")},
			Code:    model.NotGranted,
			Message: "the rule can be true of hosts that are not granted (granted: shop.example)",
		}
		if diff := cmp.Diff([]model.Problem{refused}, s.Problems); diff != "" {
			t.Error(diff)
		}
		equal(t, "served", e.names(), "shop")
		there := refused
		there.Object.Source = "file/main"
		said := func() []model.Problem { return c.Reports()[0].Problems }
		if diff := cmp.Diff([]model.Problem{there}, said()); diff != "" {
			t.Error(diff)
		}

		conflict := model.Problem{
			Object: model.Object{Kind: model.KindRoute, Ref: model.ParseRef("shop@link/fra")},
			Code:   model.Conflict, Message: "shop@link/par has the same rule and goes first",
		}
		foreign := conflict
		foreign.Object.Source = "link/par"
		e.Report([]model.Problem{conflict, foreign})
		wait(time.Second)
		equal(t, "with the conflict", text(len(said()), said()[1].Code, said()[1].Object), "2 conflict route shop@file/main")
		e.Report(nil)
		wait(time.Second)
		equal(t, "without", len(said()), 1)

		r := c.Reports()[0]
		equal(t, "report", text(r.Key, r.Watches, r.GoneSince.IsZero()), "k1 1 true")
		_ = stop()
		wait(reportLife)
		equal(t, "kept", len(c.Reports()), 1)
		wait(time.Second)
		equal(t, "forgotten", len(c.Reports()), 0)
		_ = stopCluster()
	})
}

func TestReportsOfStrangers(t *testing.T) {
	c := newCluster("fra")
	c.Publish(snapshot(route("shop")))
	post := func(body string) int { return c.call("POST", PathProblems, "Bearer good", body).Code }
	equal(t, "not JSON", post("x"), 400)
	equal(t, "too many", post(`{"problems":[`+strings.Repeat(`{},`, maxReports)+`{}]}`), 400)
	equal(t, "too large", post(`{"problems":[]`+strings.Repeat(" ", maxReport)+`}`), 413)
	equal(t, "good", post(`{"problems":[
		{"kind":"route","name":"shop","code":"conflict","message":"\u001b[31m`+strings.Repeat("ä", 400)+`"},
		{"kind":"secret","name":"shop","code":"conflict","message":"x"},
		{"kind":"route","name":"shop","code":"<script>","message":"x"},
		{"kind":"service","name":"a/b","code":"invalid_field","message":"x"}]}`), 204)
	p := c.Reports()[0].Problems
	equal(t, "understood", text(len(p), p[0].Object, p[1].Object), "2 route shop@file/main service a/b")
	if m := p[0].Message; !strings.HasPrefix(m, "\uFFFD[31mä") || len(m) > maxReportMsg+3 {
		t.Errorf("message %q", m)
	}
	equal(t, "replaced", post(`{"problems":[]}`), 204)
	equal(t, "after that", len(c.Reports()[0].Problems), 0)
}
