package http.authz

# The shop's policy, which the server decides by, and which bundles are made of: with LEVEL, two of them.
default allow := {"allow": false}

allow := {"allow": true, "headers": {"X-Group": group}} if input.path == "/open"

allow := {"allow": true, "headers": {"X-Group": group}} if input.claims.level >= level

allow := {"allow": false, "status": 404} if input.path == "/hidden"

level := ${LEVEL}

group := input.claims.sub

group := "nobody" if not input.claims.sub
