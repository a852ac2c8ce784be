-- A gateway's work in Lua, in the style of the lua-resty libraries. setup says which of it is done.
local ffi = require "ffi"
local lrucache = require "resty.lrucache"
local cjson = require "cjson.safe"

ffi.cdef [[
const void *EVP_sha256(void);
unsigned char *HMAC(const void *md, const void *key, int key_len, const unsigned char *d, size_t n, unsigned char *out, unsigned int *out_len);
]]

local lab = {}
local conf
local verified = lrucache.new(1024) -- in each worker: claims by token
local out, out_len = ffi.new "unsigned char[64]", ffi.new "unsigned int[1]"

local buckets = { 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 }

function lab.setup(c) conf = c end

local function decode(s)
    s = s:gsub("-", "+"):gsub("_", "/")
    return ngx.decode_base64(s .. ("="):rep(-#s % 4))
end

-- verify returns the claims of a token whose HS256 signature is ours and that has not expired.
local function verify(token)
    local head, claims, signature = token:match "^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$"
    if not head then return nil end
    local h = cjson.decode(decode(head) or "")
    if not h or h.alg ~= "HS256" then return nil end
    local signed = head .. "." .. claims
    ffi.C.HMAC(ffi.C.EVP_sha256(), conf.secret, #conf.secret, signed, #signed, out, out_len)
    local got = decode(signature)
    if not got or #got ~= out_len[0] then return nil end
    local differ = 0
    for i = 1, #got do differ = bit.bor(differ, bit.bxor(got:byte(i), out[i - 1])) end
    if differ ~= 0 then return nil end
    return cjson.decode(decode(claims) or "")
end

local function authorised()
    local field = ngx.var.http_authorization
    if not field or field:sub(1, 7) ~= "Bearer " then return false end
    local token = field:sub(8)
    local claims = verified:get(token)
    if not claims then
        claims = verify(token)
        if not claims then return false end
        verified:set(token, claims)
    end
    return type(claims.exp) == "number" and claims.exp > ngx.time()
end

-- limited is a token bucket by its theoretical arrival time, in a shared dictionary.
local function limited()
    local limits, key, now = ngx.shared.lab_limits, ngx.var.binary_remote_addr, ngx.now()
    local due = math.max(limits:get(key) or now, now)
    if due - now > 1 then return true end
    limits:set(key, due + 1 / conf.rate, 10)
    return false
end

function lab.access()
    if conf.key and ngx.var.http_x_api_key ~= conf.key then return ngx.exit(401) end
    if conf.secret and not authorised() then return ngx.exit(401) end
    if conf.rate and limited() then return ngx.exit(429) end
    if conf.breaker and (ngx.shared.lab_state:get "open" or 0) > ngx.now() then return ngx.exit(503) end
end

function lab.log()
    local state = ngx.shared.lab_state
    if conf.breaker then
        if ngx.status >= 500 then
            if (state:incr("failures", 1, 0) or 0) >= 5 then state:set("open", ngx.now() + 10) end
        elseif (state:get "failures" or 0) > 0 then
            state:set("failures", 0)
        end
    end
    if conf.observe then
        state:incr("requests:lab:" .. ngx.status, 1, 0)
        local seconds = tonumber(ngx.var.request_time) or 0
        for i = 1, #buckets do
            if seconds <= buckets[i] then
                state:incr("bucket:lab:" .. i, 1, 0)
                break
            end
        end
        state:incr("sum:lab", seconds, 0)
    end
end

return lab
