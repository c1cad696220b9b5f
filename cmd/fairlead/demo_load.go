package main

import (
	"context"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"
)

// demoLoad is the demo's client: it asks the edge for the shop, at an even pace, and counts who answered. Each request
// may be retried (by the edge; the client itself never does), so none may be lost while one of the shop's clusters
// lives.
type demoLoad struct {
	address string
	pace    time.Duration // between two requests
	client  *http.Client

	mu     sync.Mutex
	counts demoCounts
}

// demoCounts are what the client saw so far.
type demoCounts struct {
	Served int
	Failed int
	By     map[string]int // by cluster
	Last   string         // what went wrong last; "" when nothing did
}

// demoTimeout is how long the client waits for an answer.
const demoTimeout = 10 * time.Second

func newDemoLoad(address string, perSecond int) *demoLoad {
	return &demoLoad{
		address: address, pace: time.Second / time.Duration(perSecond),
		client: &http.Client{
			Timeout: demoTimeout,
			// Connections to the edge are kept: it must not cut them, whatever happens behind it.
			Transport: &http.Transport{MaxIdleConnsPerHost: 256},
		},
		counts: demoCounts{By: make(map[string]int)},
	}
}

// run sends requests until ctx is done, and waits for those under way.
func (l *demoLoad) run(ctx context.Context) {
	tick := time.NewTicker(l.pace)
	defer tick.Stop()
	var underWay sync.WaitGroup
	for {
		select {
		case <-ctx.Done():
			underWay.Wait()
			l.client.CloseIdleConnections()
			return
		case <-tick.C:
			underWay.Go(l.request) // the next one does not wait for it: a slow answer must not hide lost time
		}
	}
}

// request makes one request. It is finished even when the demo ends meanwhile: a request that was begun counts.
func (l *demoLoad) request() {
	r, err := http.NewRequest(http.MethodGet, "http://"+l.address+"/", nil)
	if err != nil {
		l.count("", err.Error())
		return
	}
	r.Host = "shop.localhost"
	answer, err := l.client.Do(r)
	if err != nil {
		l.count("", err.Error())
		return
	}
	defer func() { _ = answer.Body.Close() }()
	_, err = io.Copy(io.Discard, answer.Body)
	switch {
	case err != nil:
		l.count("", err.Error())
	case answer.StatusCode != http.StatusOK:
		l.count("", answer.Status+" "+answer.Header.Get("Fairlead-Reason"))
	default:
		l.count(answer.Header.Get("X-Cluster"), "")
	}
}

func (l *demoLoad) count(cluster, failure string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if failure != "" {
		l.counts.Failed++
		l.counts.Last = failure
		return
	}
	l.counts.Served++
	l.counts.By[cluster]++
}

// seen returns the counts so far.
func (l *demoLoad) seen() demoCounts {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts
	c.By = maps.Clone(c.By)
	return c
}
