package proxy

import (
	"net/http"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/telemetry"
)

// What a route does not want told is marked, at both depths; of others everything is.
func TestQuiet(t *testing.T) {
	addr := serve(t, func(http.ResponseWriter, *http.Request) {})
	told := make(chan telemetry.Exchange, 1)
	var logs, metrics bool
	for _, quiet := range []model.Quiet{{}, {Log: true}, {Metrics: true}, {Log: true, Metrics: true}} {
		s := to(addr)
		s.Routes[0].Quiet = quiet
		b := start(t, s, func(o *Options) {
			o.Observers = []Observer{observerFunc(func(x *telemetry.Exchange) { told <- *x })}
		})
		for _, fields := range [][]string{nil, {"Via", "1.1 other"}} { // raw, general
			if status, _, _ := b.get(t, "/", fields...); status != http.StatusOK {
				t.Fatal(status)
			}
			x := <-told
			logs, metrics = !x.Unlogged, !x.Unmeasured
			if logs == quiet.Log || metrics == quiet.Metrics {
				t.Errorf("%+v, %v: logged %v, measured %v", quiet, fields, logs, metrics)
			}
		}
	}
}

type observerFunc func(*telemetry.Exchange)

func (f observerFunc) Served(x *telemetry.Exchange) { f(x) }
