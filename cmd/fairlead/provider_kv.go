package main

import (
	"crypto/tls"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/provider"
	"github.com/fairlead/fairlead/internal/provider/kv"
	"github.com/fairlead/fairlead/internal/provider/kv/consul"
	"github.com/fairlead/fairlead/internal/provider/kv/etcd"
	"github.com/fairlead/fairlead/internal/provider/kv/redis"
	"github.com/fairlead/fairlead/internal/provider/kv/zookeeper"
)

func newEtcd(c config.Etcd) (provider.Provider, error) {
	return newKV(c, c.KeyStore, func(password secretReader, t *tls.Config) kv.Store {
		return etcd.New(etcd.Config{
			Endpoints: c.Endpoints, Root: c.RootKey, Username: c.Username, Password: password, TLS: t,
		})
	})
}

func newConsulKV(c config.ConsulKV) (provider.Provider, error) {
	token, err := secretOf(c.Token)
	if err != nil {
		return nil, err
	}
	return newKV(c, c.KeyStore, func(password secretReader, t *tls.Config) kv.Store {
		return consul.New(consul.Config{
			Endpoints: c.Endpoints, Root: c.RootKey, Datacenter: c.Datacenter, Namespace: c.Namespace,
			Username: c.Username, Password: password, Token: token, TLS: t,
		})
	})
}

func newRedis(c config.Redis) (provider.Provider, error) {
	var s config.RedisSentinel
	if c.Sentinel != nil {
		s = *c.Sentinel
	}
	sentinel, err := secretOf(s.Password)
	if err != nil {
		return nil, err
	}
	return newKV(c, c.KeyStore, func(password secretReader, t *tls.Config) kv.Store {
		return redis.New(redis.Config{
			Endpoints: c.Endpoints, Root: c.RootKey, DB: c.DB, Username: c.Username, Password: password, TLS: t,
			MasterName: s.MasterName, SentinelUsername: s.Username, SentinelPassword: sentinel,
		})
	})
}

func newZooKeeper(c config.ZooKeeper) (provider.Provider, error) {
	return newKV(c, c.KeyStore, func(password secretReader, t *tls.Config) kv.Store {
		return zookeeper.New(zookeeper.Config{
			Endpoints: c.Endpoints, Root: c.RootKey, Username: c.Username, Password: password, TLS: t,
		})
	})
}

// newKV makes what reads a key-value store.
func newKV(
	c config.Provider, k config.KeyStore, open func(password secretReader, t *tls.Config) kv.Store,
) (provider.Provider, error) {
	t, err := clientTLS(k.TLS)
	if err != nil {
		return nil, err
	}
	password, err := secretOf(k.Password)
	if err != nil {
		return nil, err
	}
	return kv.New(c.Source(), k.RootKey, open(password, t)), nil
}
