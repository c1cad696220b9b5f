-- The load that wrk makes: a GET as a browser sends it, to one host or to a random one of many.
--   wrk -s bench.lua URL -- HOSTS SEED [close]
local function headers(host)
  return {
    ["Host"] = host,
    ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
    ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    ["Accept-Language"] = "en-GB,en;q=0.9,de;q=0.8",
    ["Accept-Encoding"] = "gzip, deflate, br",
    ["Referer"] = "https://r00000.bench.example/catalogue/boats?page=2",
    ["Cookie"] = "session=7f3b2c9d41e84aa0b6d1; theme=dark; consent=yes",
  }
end

function init(args)
  local hosts, made = tonumber(args[1]), {}
  math.randomseed(tonumber(args[2]))
  for i = 1, hosts do
    wrk.headers = headers(string.format("r%05d.bench.example", i - 1))
    if args[3] == "close" then wrk.headers["Connection"] = "close" end
    made[i] = wrk.format("GET", wrk.path)
  end
  if hosts > 1 then -- else wrk makes the request once, from wrk.headers
    request = function() return made[math.random(hosts)] end
  end
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("bench: %d requests, %d failed, %d us\n", summary.requests,
    e.connect + e.read + e.write + e.status + e.timeout, summary.duration))
end
