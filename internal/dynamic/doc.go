// Package dynamic reads the dynamic-configuration format of Traefik v3 (its HTTP part) into the model.
//
//	file ─ Decode ─▶ *Document ─┐
//	file ─ Decode ─▶ *Document ─┴ Build ─▶ model.Snapshot (services, routes, middlewares, problems)
//
// What orchestrators run says the same in labels; each workload becomes a document of its own:
//
//	Workload ─ strip ─▶ labels ─ document.Flat ─▶ tree ─ complete ─▶ *Document ─┐
//	Workload ─ …                                                     *Document ─┴ joint ─▶ model.Snapshot
//
// The joint knows by whom each object is defined: when a workload changes, its objects are made anew, and no others.
//
// The format is as Traefik documents it, in YAML, TOML and JSON, letter case of keys ignored: http.routers,
// http.services (loadBalancer, weighted) and http.middlewares, with the rule language of version 3 (ParseRule). What
// Fairlead adds:
//
//	http:
//	  routers:
//	    shop:
//	      export: true     # offer the route to followers; or {as: namespace/name}, the fleet-wide service name
//	      timeouts: {header: 10s, total: 1m}
//	  services:
//	    shop:
//	      loadBalancer:
//	        balance: {picker: p2c, spill: 70, failClosed: false} # picker: p2c, wrr, hrw, leastconn, leasttime
//	        healthCheck: {mode: tcp}   # only connects
//	  middlewares:
//	    keys:
//	      apiKey:                      # admits requests that carry a key
//	        header: Authorization      # or query, or cookie: where the key is; Authorization: after "Bearer "
//	        hashes: [<hex of the key's SHA-256>]
//	        hashesFile: /etc/keys      # the same, one a line; # begins a comment
//	        scope: route:shop          # admits keys of the instance's own store that have this scope
//	        identityHeader: X-Key-Owner
//	        keepKey: false             # true leaves the key in the request
//
// What must hold:
//
//   - Nothing is passed over in silence: a key that means nothing, a value that cannot be, and a part of the format
//     that is not served yet are problems, each with its file and line.
//   - A mistake never opens a route, neither to others nor by leaving its requests to a broader one. A route with a
//     mistake or an unknown key is Broken: it keeps its place and answers 503. A middleware with one is left out, and
//     routes that use it answer 503 (the compiler of routes sees to that). Only a route whose rule cannot be read is
//     left out: nobody knows which requests are its own.
//   - One object's mistake touches no other object.
//   - Build is pure and total, and equal input gives deeply equal, sorted snapshots. Only WithFiles makes it read
//     anything.
//   - An object that depends on its document alone is made once, by Decode: while the document does not change, every
//     snapshot has the same pointer. One that looks around (at a file that it names) is made anew by each Build.
package dynamic
