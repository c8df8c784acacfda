"""Load: wrk in short windows, the servers in turn, and clients that read long streams."""

import re
import statistics
import subprocess
import threading
import socket
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).parent / "load.lua"
CONNECTIONS = 64


@dataclass
class Window:
    """What one server did in one window."""

    per_second: float
    cpu_us: float
    database_us: float
    p50_ms: float
    p99_ms: float


def command_of(server, kind, authorization, rows, seconds, seed, connections):
    """How wrk is called."""
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(SCRIPT)]
    url = f"http://127.0.0.1:{server.port}/"
    return ["wrk", *options, url, "--", kind, authorization, str(rows), str(seed), server.host]


def window(server, kind, rows, seconds, seed, connections=CONNECTIONS, cluster=None):
    """Runs wrk against one server whose table has so many generated rows."""
    clocks = [server, *([cluster] if cluster else [])]
    authorization = f"Basic {server.basic}" if kind == "token" else f"Bearer {server.token}"
    command = command_of(server, kind, authorization, rows, seconds, seed, connections)
    before = [clock.cpu_seconds() for clock in clocks]
    run = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    used = [clock.cpu_seconds() - start for clock, start in zip(clocks, before)]
    line = re.search(r"figures (.*)", run.stdout)
    if not line:
        raise SystemExit(f"wrk failed: {run.stdout}{run.stderr}")
    figures = {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", line.group(1))}
    if figures["failed"] or not figures["requests"]:
        raise SystemExit(f"{kind} on {server.name}: {figures['failed']:.0f} of {figures['requests']:.0f} failed")
    requests = figures["requests"]
    cpu = [seconds / requests * 1e6 for seconds in [*used, 0.0][:2]]
    return Window(requests / figures["seconds"], *cpu, figures["p50_ms"], figures["p99_ms"])


@dataclass
class Pair:
    """Medians of two servers, and the median of the rounds' ratios, second by first."""

    first: Window
    second: Window
    throughput: float
    cpu: float
    p99: float


def alternate(first, second, kind, options, connections=CONNECTIONS, cluster=None):
    """Measures two servers in turn: one window each to warm up, then A B A B. A round's ratio compares neighbours in
    time, so that what else the machine does weighs on both."""
    for server in (first, second):
        window(server, kind, options.rows, 1, 0, connections, cluster)
    pairs = []
    for number in range(1, options.rounds + 1):
        one, two = (first, second) if number % 2 else (second, first)
        found = {
            server: window(server, kind, options.rows, options.seconds, number, connections, cluster)
            for server in (one, two)
        }
        pairs.append((found[first], found[second]))

    def median(windows):
        names = ("per_second", "cpu_us", "database_us", "p50_ms", "p99_ms")
        return Window(*(statistics.median(getattr(window, name) for window in windows) for name in names))

    def ratio(name):
        return statistics.median(getattr(b, name) / getattr(a, name) for a, b in pairs)

    return Pair(
        median([a for a, _ in pairs]), median([b for _, b in pairs]),
        ratio("per_second"), ratio("cpu_us"), ratio("p99_ms"),
    )  # fmt: skip


def stream(server, clients, rows, path="/ords/hr/hr/employees/"):
    """Lets so many clients read so many rows at a time; the bytes that each got, 0 for an answer that was cut or has
    another number of rows."""
    lengths = [0] * clients
    target = f"{path}?limit={rows}"

    def read(number):
        head = f"GET {target} HTTP/1.0\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {server.token}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port), timeout=300) as connection:
            connection.sendall(head.encode())
            start = connection.recv(65536)
            assert b" 200 " in start[:20], start[:200]
            total, end = len(start), start
            while chunk := connection.recv(65536):
                total, end = total + len(chunk), (end + chunk)[-4096:]
            counted = re.search(rb'"count":(\d+)', end)
            whole = end.endswith(b"]}") and counted and int(counted.group(1)) >= rows
            lengths[number] = total if whole else 0

    threads = [threading.Thread(target=read, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return lengths
