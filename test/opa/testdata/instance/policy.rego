package shop

allow if input.path == "/open"
