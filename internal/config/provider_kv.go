package config

import (
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// KeyStore is what all providers that read key-value stores have.
type KeyStore struct {
	Name      string     `doc:"name"`      // default: "main"
	Endpoints []string   `doc:"endpoints"` // "host:port"; default: the store's usual port on this machine
	RootKey   string     `doc:"rootKey"`   // above all keys, without slashes around it; default: "traefik"
	Username  string     `doc:"username"`
	Password  KeyRef     `doc:"password"`
	TLS       *ClientTLS `doc:"tls"` // nil: plain text
}

// Etcd is a provider that reads etcd.
type Etcd struct{ KeyStore }

// Source returns the source of the provider's objects.
func (e Etcd) Source() model.Source { return source("etcd", e.Name) }

// ConsulKV is a provider that reads the key-value store of Consul.
type ConsulKV struct {
	KeyStore
	Token      KeyRef `doc:"token"`
	Datacenter string `doc:"datacenter"` // "": the server's
	Namespace  string `doc:"namespace"`  // "": the token's
	// Namespaces are several: each is a provider of its own then, whose name has the namespace's appended. Once the file
	// is read, it is nil.
	Namespaces []string `doc:"namespaces"`
}

// Source returns the source of the provider's objects.
func (c ConsulKV) Source() model.Source { return source("consul", c.Name) }

// each returns one provider for each namespace.
func (c ConsulKV) each() []Provider {
	return eachIn(c.Namespaces, c.Name, c, func(name, namespace string) Provider {
		c.Name, c.Namespace, c.Namespaces = name, namespace, nil
		return c
	})
}

// Redis is a provider that reads Redis.
type Redis struct {
	KeyStore
	DB       int            `doc:"db"`
	Sentinel *RedisSentinel `doc:"sentinel"` // nil: the endpoint is the server itself
}

// RedisSentinel says what the sentinels at the endpoints are asked.
type RedisSentinel struct {
	MasterName string `doc:"masterName"` // required
	Username   string `doc:"username"`
	Password   KeyRef `doc:"password"`
}

// Source returns the source of the provider's objects.
func (r Redis) Source() model.Source { return source("redis", r.Name) }

// ZooKeeper is a provider that reads ZooKeeper.
type ZooKeeper struct{ KeyStore }

// Source returns the source of the provider's objects.
func (z ZooKeeper) Source() model.Source { return source("zooKeeper", z.Name) }

// keyStore returns what a store is when the file says nothing of it.
func keyStore(port string) KeyStore {
	return KeyStore{Name: defaultProvider, Endpoints: []string{"127.0.0.1:" + port}, RootKey: "traefik"}
}

func (l *loader) keyStore(p part, k *KeyStore) {
	if len(k.Endpoints) == 0 {
		l.wrong(p.key("endpoints"), "is empty; name a server")
	}
	for i, endpoint := range k.Endpoints {
		if !isDial(endpoint) {
			l.wrong(p.key("endpoints").item(i), `%q is not an address to dial; write "host:port"`, shorten(endpoint))
		}
	}
	k.RootKey = strings.Trim(k.RootKey, "/")
	if k.RootKey == "" {
		l.wrong(p.key("rootKey"), "is empty; name the key that all others are below")
	}
	l.absolute(&k.Password.File)
	l.clientTLS(p.key("tls"), k.TLS)
}

func (l *loader) etcd(p part) Provider {
	e := Etcd{keyStore("2379")}
	l.decode(p, &e)
	l.keyStore(p, &e.KeyStore)
	return e
}

func (l *loader) consulKV(p part) Provider {
	c := ConsulKV{KeyStore: keyStore("8500")}
	l.decode(p, &c)
	l.keyStore(p, &c.KeyStore)
	l.namespaces(p, c.Namespace, c.Namespaces)
	l.absolute(&c.Token.File)
	return c
}

func (l *loader) redis(p part) Provider {
	r := Redis{KeyStore: keyStore("6379")}
	l.decode(p, &r)
	l.keyStore(p, &r.KeyStore)
	l.atLeast(p.key("db"), 0, r.DB)
	switch {
	case r.Sentinel != nil:
		l.required(p.key("sentinel"), "masterName", "mymaster")
		l.absolute(&r.Sentinel.Password.File)
	case len(r.Endpoints) > 1:
		l.wrong(p.key("endpoints"), "several servers need sentinel, which says which of them is the master; name one")
	}
	return r
}

func (l *loader) zooKeeper(p part) Provider {
	z := ZooKeeper{keyStore("2181")}
	l.decode(p, &z)
	l.keyStore(p, &z.KeyStore)
	return z
}
