package dynamic

import (
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

type cache struct {
	MaxBytes             int64         `doc:"maxBytes"`
	MaxObjectBytes       int64         `doc:"maxObjectBytes"`
	TTL                  time.Duration `doc:"ttl"`
	StaleWhileRevalidate time.Duration `doc:"staleWhileRevalidate"`
	StaleIfError         time.Duration `doc:"staleIfError"`
	PurgeHashes          []string      `doc:"purgeHashes"`
}

func (*cache) gaps() []gap { return nil }

func (c *cache) build(at place, m *model.Middleware) {
	for _, size := range []struct {
		name string
		n    int64
	}{{"maxBytes", c.MaxBytes}, {"maxObjectBytes", c.MaxObjectBytes}} {
		if size.n < 0 {
			at.in(size.name).invalid("%d is negative", size.n)
		}
	}
	at.in("ttl").notNegative(c.TTL)
	at.in("staleWhileRevalidate").notNegative(c.StaleWhileRevalidate)
	at.in("staleIfError").notNegative(c.StaleIfError)
	m.Cache = &model.Cache{
		MaxBytes: c.MaxBytes, MaxObjectBytes: c.MaxObjectBytes, TTL: c.TTL,
		StaleWhileRevalidate: c.StaleWhileRevalidate, StaleIfError: c.StaleIfError,
	}
	for i, text := range c.PurgeHashes {
		m.Cache.PurgeHashes = append(m.Cache.PurgeHashes, at.in("purgeHashes", i).hash(text, i))
	}
}
