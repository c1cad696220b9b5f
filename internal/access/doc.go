// Package access decides who may do what: API keys with an owner, scopes, an expiry and a last use. They secure the
// management API, the links between layers, and routes that ask for a key.
//
//	Create, Rotate, Revoke ──▶ Store ──▶ table (immutable, behind one atomic pointer) ◀── Authorize ◀── requests
//	                             │             ▲                                             │
//	                             └── Watch ────┘ Run: writes of other replicas, expiries     └─▶ Session, closed when the
//	                             ▲                                                               secret is no longer good
//	                             └── Run: last uses, at most once a minute a key
//
// A presented key is flk_<id>_<secret>_<checksum>. The id (60 random bits) finds the key, the secret (256 random bits)
// proves it. The checksum (CRC-32) is no security: it lets typing errors and secret scanners be served without a
// look-up. Scanners find keys with \bflk_[a-z2-7]{12}_[a-z2-7]{52}_[0-9a-f]{8}\b.
//
// What must hold:
//
//   - The secret leaves the package once, from Create or Rotate. The store has its SHA-256, errors and logs have
//     nothing.
//   - A caller learns that a key is refused, never why; the reason goes to a counter. An unknown id costs the same work
//     as a wrong secret.
//   - A key that ends (revoked, expired, the end of an overlap) ends its sessions at once, on every replica that Run
//     serves.
//   - Losing the store stops writes, never Authorize.
package access
