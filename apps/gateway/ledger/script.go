package ledger

import "github.com/redis/go-redis/v9"

// bucketScript adds microseconds to a bucket: KEYS[1], what is taken, how deep it is. It returns how many are missing.
// Numbers of Lua are floats; the times of 2026 in microseconds have 51 bits of their 53.
var bucketScript = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local full = tonumber(redis.call('GET', KEYS[1]) or '0')
if full < now then full = now end
full = full + tonumber(ARGV[1])
if full > now then
  redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1)
end
return string.format('%.0f', full - now)
`)

// windowScript adds to the counters of a window and of the one before: KEYS[1] and KEYS[2], what is taken of each, and how
// long a counter is kept in milliseconds. It returns both.
var windowScript = redis.NewScript(`
local n = {}
for i = 1, 2 do
  local add = tonumber(ARGV[i])
  if add > 0 then
    n[i] = redis.call('INCRBY', KEYS[i], add)
    redis.call('PEXPIRE', KEYS[i], ARGV[3])
  else
    n[i] = tonumber(redis.call('GET', KEYS[i]) or '0')
  end
end
return n
`)

// takeScript is a bucket that is asked for each request: KEYS[1], the microseconds of a token, the depth. It returns 1 and
// how many are missing, or 0 and after how many microseconds there will be a token.
var takeScript = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local full = tonumber(redis.call('GET', KEYS[1]) or '0')
if full < now then full = now end
local after = full + tonumber(ARGV[1])
local wait = after - now - tonumber(ARGV[2])
if wait > 0 then return {0, math.ceil(wait)} end
redis.call('SET', KEYS[1], string.format('%.3f', after), 'PX', math.ceil((after - now) / 1000) + 1)
return {1, math.floor(after - now)}
`)
