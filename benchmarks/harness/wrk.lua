-- Requests from the file $BENCH_BODIES, one body a line, to the path of the URL; the summary as one line of JSON.
local requests, turn = {}, 0

function init(args)
  local headers = {["Content-Type"] = "application/json", ["Host"] = "127.0.0.1"}
  for body in io.lines(os.getenv("BENCH_BODIES")) do
    requests[#requests + 1] = wrk.format("POST", nil, headers, body)
  end
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
