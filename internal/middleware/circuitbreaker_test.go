package middleware

import (
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// errorsAbove holds when more than the part ratio of the answers are 500 to 599.
func errorsAbove(ratio float64) model.Condition {
	return model.Condition{
		Op: model.Is, Metric: "ResponseCodeRatio", Args: []float64{500, 600, 0, 600}, Compare: ">", Value: ratio,
	}
}

// breakerTest is a service behind a circuit breaker, and what it answers.
type breakerTest struct {
	t      *testing.T
	set    *Set
	spec   model.CircuitBreaker
	status int
}

func (b *breakerTest) handler(route string) http.Handler {
	b.t.Helper()
	f, err := b.set.Build(named(model.Middleware{CircuitBreaker: &b.spec}), Use{Route: model.ParseRef(route)})
	if err != nil {
		b.t.Fatal(err)
	}
	return f(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(b.status) }))
}

// send sends n requests, and returns how many reached the service.
func (b *breakerTest) send(h http.Handler, n int) (reached int) {
	b.t.Helper()
	for range n {
		w := &reasons{ResponseRecorder: httptest.NewRecorder()}
		h.ServeHTTP(w, request("/"))
		switch {
		case w.reason == "refused_by_circuitBreaker" && w.Code == 503:
		case w.reason == "" && w.Code == b.status:
			reached++
		default:
			b.t.Fatalf("got %d %q", w.Code, w.reason)
		}
	}
	return reached
}

func TestCircuitBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breakerTest{t: t, set: NewSet(Options{}), spec: model.CircuitBreaker{Condition: errorsAbove(0.25)}, status: 200}
		h := b.handler("a@file")
		check := func(what string, got, least, most int) {
			t.Helper()
			if got < least || got > most {
				t.Errorf("%s: %d reach the service, want %d to %d", what, got, least, most)
			}
		}
		check("closed", b.send(h, 30), 30, 30)
		b.status = 500
		check("not looked at yet", b.send(h, 11), 11, 11)
		wait(100 * time.Millisecond)
		check("the one that opens it", b.send(h, 10), 1, 1)
		check("open after a reload", b.send(b.handler("a@file"), 10), 0, 0)
		b.status = 200
		check("another route's", b.send(b.handler("b@file"), 10), 10, 10)
		wait(10*time.Second - 1)
		check("open to the end", b.send(h, 10), 0, 0)
		wait(1)
		check("recovering from nothing", b.send(h, 100), 0, 1)
		wait(5 * time.Second)
		check("half recovered", b.send(h, 100), 90, 101) // half of all that came, the first hundred included
		check("half recovered, later", b.send(h, 100), 49, 51)
		wait(5 * time.Second)
		check("closed again", b.send(h, 100), 100, 100)
	})
}

func TestCircuitBreakerOpensAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breakerTest{t: t, set: NewSet(Options{}), spec: model.CircuitBreaker{
			Condition: errorsAbove(0.5), CheckPeriod: time.Second, Fallback: 2 * time.Second, Recovery: 4 * time.Second,
		}, status: 500}
		h := b.handler("a@file")
		b.send(h, 1)
		if got := b.send(h, 5); got != 0 {
			t.Fatalf("%d reach the service", got)
		}
		wait(2 * time.Second)
		b.send(h, 1) // begins to recover
		wait(2 * time.Second)
		if got := b.send(h, 10); got != 1 {
			t.Errorf("%d reach the service, of which the first opens the breaker again", got)
		}
		wait(2*time.Second - 1)
		if got := b.send(h, 10); got != 0 {
			t.Errorf("%d reach the service", got)
		}
	})
}

// What was bad longer than the window ago does not count.
func TestCircuitBreakerForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w window
		w.add(time.Now(), 500, time.Second)
		wait(windowSlices*windowSlice + windowSlice)
		w.add(time.Now(), 200, time.Millisecond)
		if got := w.measure("ResponseCodeRatio", []float64{500, 600, 0, 600}); got != 0 {
			t.Errorf("ratio %v", got)
		}
		if got := w.measure("LatencyAtQuantileMS", []float64{100}); got > 1.1 {
			t.Errorf("latency %v", got)
		}
	})
}

// An answer that is cut counts as a network error.
func TestCircuitBreakerCountsCuts(t *testing.T) {
	s := NewSet(Options{})
	f := build(t, s, model.Middleware{CircuitBreaker: &model.CircuitBreaker{Condition: model.Condition{
		Op: model.Is, Metric: "NetworkErrorRatio", Compare: ">", Value: 0.5,
	}}})
	func() {
		defer func() { _ = recover() }()
		f(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })).
			ServeHTTP(httptest.NewRecorder(), request("/"))
	}()
	if w, _ := exchange(f, request("/")); w.Code != 503 {
		t.Errorf("status %d", w.Code)
	}
}

// The window says what a list of all answers says.
func TestWindow(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var w window
		var took []float64
		codes := map[int]int{}
		start, n := time.Unix(1000, 0), 1+random.IntN(200)
		for range n {
			status := []int{200, 404, 500, 502, 504}[random.IntN(5)]
			d := time.Duration(1000 * math.Exp2(random.Float64()*24)) // 1 µs to 16 s
			w.add(start.Add(time.Duration(random.IntN(9999))*time.Millisecond), status, d)
			codes[status]++
			took = append(took, float64(d)/1e6)
		}
		if got, want := w.measure("NetworkErrorRatio", nil), float64(codes[502]+codes[504])/float64(n); got != want {
			t.Fatalf("network errors %v, want %v", got, want)
		}
		got := w.measure("ResponseCodeRatio", []float64{500, 504, 200, 500})
		if want := float64(codes[500]+codes[502]) / float64(codes[200]+codes[404]); codes[200]+codes[404] > 0 && got != want {
			t.Fatalf("codes %v, want %v", got, want)
		}
		slices.Sort(took)
		for _, q := range []float64{50, 99, 100} {
			want := took[max(int(math.Ceil(q/100*float64(n)))-1, 0)]
			if got := w.measure("LatencyAtQuantileMS", []float64{q}); got < want/1.1-0.001 || got > want*1.1+0.001 {
				t.Fatalf("quantile %v: %v, want about %v", q, got, want)
			}
		}
	}
}
