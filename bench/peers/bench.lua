-- The load that wrk makes: a GET as a browser sends it, to one host or to a random one of many.
--   wrk -s bench.lua URL -- hosts=N seed=N [first=N] [close=yes] [field=NAME: VALUE]...
local function headers(host, options)
  local fields = {
    ["Host"] = host,
    ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
    ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    ["Accept-Language"] = "en-GB,en;q=0.9,de;q=0.8",
    ["Accept-Encoding"] = "gzip, deflate, br",
    ["Referer"] = "https://r00000.bench.example/catalogue/boats?page=2",
    ["Cookie"] = "session=7f3b2c9d41e84aa0b6d1; theme=dark; consent=yes",
  }
  if options.close then fields["Connection"] = "close" end
  for name, value in pairs(options.fields) do fields[name] = value end
  return fields
end

local function read(args)
  local options = { first = 0, fields = {} }
  for _, arg in ipairs(args) do
    local key, value = arg:match("^(%w+)=(.*)$")
    if key == "field" then
      local name, text = value:match("^([^:]+): (.*)$")
      options.fields[name] = text
    else
      options[key] = value
    end
  end
  return options
end

function init(args)
  local options, made = read(args), {}
  local hosts = tonumber(options.hosts)
  math.randomseed(tonumber(options.seed))
  for i = 1, hosts do
    wrk.headers = headers(string.format("r%05d.bench.example", options.first + i - 1), options)
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
