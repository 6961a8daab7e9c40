"""Load on a server: `wrk` where it is installed, else a few threads of our own, which reach fewer requests a second.

CPU time a request is the same with either; latencies and throughput are to be compared within one kind only.
"""

import http.client
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.calls import Call

CONNECTIONS = 8

_WRK = shutil.which("wrk")
GENERATOR = "wrk" if _WRK else "threads of our own (wrk is not installed)"

# Sends the bodies of a call in turn; each request takes the next line of a file as its token, where there is one.
_SCRIPT = """
local function read(name) local file = io.open(name, "rb"); local text = file:read("*a"); file:close(); return text end
local bodies, next_body, tokens, next_token = {{{bodies}}}, 0, {{}}, 0
if "{tokens}" ~= "" then for line in io.lines("{tokens}") do tokens[#tokens + 1] = line end end
wrk.method, wrk.headers["Content-Type"] = "POST", "application/json"
request = function()
  next_body = next_body % #bodies + 1
  wrk.body = bodies[next_body]
  if #tokens > 0 then
    next_token = next_token + 1
    wrk.headers["Authorization"] = "Bearer " .. (tokens[next_token] or "used up")
  end
  return wrk.format()
end
done = function(summary, latency)
  local errors = summary.errors
  local bad = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format("RESULT %d %d %d %d %d", summary.requests, summary.duration, bad,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Load:
    """The result of a load: answers, seconds, and latencies in milliseconds."""

    answers: int
    seconds: float
    p50: float
    p99: float


def send(address: str, call: Call, seconds: float, core: int, folder: Path, tokens: Sequence[str] = ()) -> Load:
    """Send a call over eight connections for so many seconds. Each request takes a token of its own, where some are
    given. Raises where an answer is not 200.
    """
    if _WRK:
        return _by_wrk(address + call.path, call, seconds, core, folder, tokens)
    return _by_threads(address + call.path, call, seconds, tokens)


def _by_wrk(url: str, call: Call, seconds: float, core: int, folder: Path, tokens: Sequence[str]) -> Load:
    lines, script = folder / "tokens.txt", folder / "load.lua"
    bodies = [folder / f"body-{number}.json" for number in range(len(call.bodies))]
    for path, body in zip(bodies, call.bodies, strict=True):
        path.write_bytes(body)
    lines.write_text("\n".join(tokens))
    script.write_text(
        _SCRIPT.format(bodies=", ".join(f'read("{path}")' for path in bodies), tokens=lines if tokens else "")
    )
    command = ["taskset", "--cpu-list", str(core), _WRK or "", "--threads", "1", "--connections", str(CONNECTIONS)]
    command += ["--duration", f"{seconds:.0f}s", "--timeout", "60s", "--script", str(script), url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result = next(line for line in output.splitlines() if line.startswith("RESULT"))
    answers, microseconds, bad, p50, p99 = map(int, result.split()[1:])
    if bad:
        raise RuntimeError(f"{call.name}: {bad} of {answers} requests failed")
    return Load(answers, microseconds / 1e6, p50 / 1000, p99 / 1000)


def _by_threads(url: str, call: Call, seconds: float, tokens: Sequence[str]) -> Load:
    took: list[float] = []
    until = time.monotonic() + seconds
    began = time.monotonic()
    number = count()
    take: Callable[[], str] = lambda: tokens[next(number)] if tokens else ""  # noqa: E731
    threads = [threading.Thread(target=_repeat, args=(url, call, until, took, take)) for _ in range(CONNECTIONS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    took.sort()
    if not took or None in took:
        raise RuntimeError(f"{call.name}: requests failed")
    return Load(len(took), time.monotonic() - began, 1000 * took[len(took) // 2], 1000 * took[int(len(took) * 0.99)])


def _repeat(url: str, call: Call, until: float, took: list[float], token: Callable[[], str]) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    bodies = cycle(call.bodies)
    while time.monotonic() < until:
        began = time.monotonic()
        headers = {"Content-Type": "application/json"}
        bearer = token()
        headers |= {"Authorization": f"Bearer {bearer}"} if bearer else {}
        connection.request("POST", parts.path, next(bodies), headers)
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(f"{call.name}: answered {response.status}")
        took.append(time.monotonic() - began)
