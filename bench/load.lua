-- The requests of bench/run: wrk … -s load.lua URL -- KIND AUTHORIZATION ROWS SEED HOST
-- Prints one line of figures at the end, which bench/load.py reads.

local first = 100000 -- the first employee that the demo generates
local rows

local kinds = {
  item = function(headers)
    return wrk.format("GET", "/ords/hr/hr/employees/" .. (first + math.random(0, rows - 1)), headers)
  end,
  page25 = function(headers)
    return wrk.format("GET", "/ords/hr/hr/employees/?offset=" .. math.random(0, 9), headers)
  end,
  page1000 = function(headers)
    return wrk.format("GET", "/ords/hr/hr/employees/?limit=1000&offset=" .. math.random(0, 9), headers)
  end,
  insert = function(headers)
    headers["Content-Type"] = "application/json"
    local body = '{"ename":"BENCH","job":"CLERK","mgr":7839,"hiredate":"2026-01-02","sal":1234.5,"comm":null,"deptno":20}'
    return wrk.format("POST", "/ords/hr/hr/employees/", headers, body)
  end,
  token = function(headers)
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    return wrk.format("POST", "/ords/hr/oauth/token", headers, "grant_type=client_credentials")
  end,
}

local make, headers

function init(arguments)
  make = kinds[arguments[1]]
  headers = { ["Authorization"] = arguments[2], ["Host"] = arguments[5] }
  rows = tonumber(arguments[3])
  math.randomseed(tonumber(arguments[4]))
end

function request()
  return make(headers)
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format("figures requests=%d seconds=%f failed=%d p50_ms=%f p99_ms=%f", summary.requests,
    summary.duration / 1e6, failed, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
