-- One write for `depth` requests: wrk counts the requests in what request() returns.
local batch

init = function(args)
  batch = string.rep(wrk.format(), depth)
end

request = function()
  return batch
end
