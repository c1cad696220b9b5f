package dynamic

import (
	"net"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// redis is where several instances count together.
type redis struct {
	Endpoints      []string      `doc:"endpoints"`
	TLS            *clientTLS    `doc:"tls"`
	Username       string        `doc:"username"`
	Password       string        `doc:"password"`
	DB             int           `doc:"db"`
	PoolSize       int           `doc:"poolSize"`
	MinIdleConns   int           `doc:"minIdleConns"`
	MaxActiveConns int           `doc:"maxActiveConns"`
	ReadTimeout    time.Duration `doc:"readTimeout"`
	WriteTimeout   time.Duration `doc:"writeTimeout"`
	DialTimeout    time.Duration `doc:"dialTimeout"`
}

func (p place) redis(r *redis) *model.Redis {
	if r == nil {
		return nil
	}
	for i, endpoint := range r.Endpoints {
		if _, port, err := net.SplitHostPort(endpoint); err != nil || port == "" {
			p.in("endpoints", i).invalid("%q is no address; write it like redis.example:6379", endpoint)
		}
	}
	for _, n := range []struct {
		name string
		n    int
	}{{"db", r.DB}, {"poolSize", r.PoolSize}, {"minIdleConns", r.MinIdleConns}, {"maxActiveConns", r.MaxActiveConns}} {
		if n.n < 0 {
			p.in(n.name).invalid("%d is negative", n.n)
		}
	}
	return &model.Redis{
		Endpoints: r.Endpoints, TLS: p.in("tls").clientTLS(r.TLS), Username: r.Username,
		Password: model.NewSecret(r.Password), DB: r.DB,
		PoolSize: r.PoolSize, MinIdleConns: r.MinIdleConns, MaxActiveConns: r.MaxActiveConns,
		ReadTimeout: r.ReadTimeout, WriteTimeout: r.WriteTimeout, DialTimeout: r.DialTimeout,
	}
}
