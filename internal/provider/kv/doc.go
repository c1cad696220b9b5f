// Package kv is the provider that reads the dynamic-configuration format from key-value stores, in the layout that
// Traefik documents: each text of a document is one key, whose path says where it belongs.
//
//	traefik/http/routers/shop/rule                            Host(`shop.example`)
//	traefik/http/services/shop/loadBalancer/servers/0/url     http://10.0.0.7:8080
//
//	store ─ Follow: all texts at one moment, after every change ─▶ document.Flat ─▶ dynamic ─▶ publish
//
// Each store is a folder below this one, with one type that has [Store]'s one method; the client's library appears
// nowhere else. What holds for every store:
//
//   - What it tells is what the store held at one moment. How it knows that is the heart of each: one revision (etcd,
//     Consul), values read at once between two equal lists of keys (Redis), no event before the last one (ZooKeeper).
//   - It notices that it cannot read, and says so, within seconds: a store that is away is a failure, not silence.
//   - A burst of changes is told once: see [Settle].
package kv
