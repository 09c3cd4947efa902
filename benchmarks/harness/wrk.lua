-- Requests from the file $BENCH_MESSAGES, whole messages, each behind a line with its length; the summary as one line of
-- JSON.
local requests, turn = {}, 0

function init(args)
  local file = assert(io.open(os.getenv("BENCH_MESSAGES"), "rb"))
  for length in function() return file:read("*l") end do
    requests[#requests + 1] = file:read(tonumber(length))
  end
  file:close()
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format('BENCH {"requests":%d,"microseconds":%d,"p50":%.1f,"p99":%.1f,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
