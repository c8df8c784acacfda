"""Servers under measurement: starting them, their tokens, and what the kernel says of them."""

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS_MAX = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def exchange(port, method, path, headers, body=b"", seconds=30):
    """One request on a connection of its own; the status and the body."""
    head = "".join(f"{name}: {value}\r\n" for name, value in {"Host": f"127.0.0.1:{port}", **headers}.items())
    text = f"{method} {path} HTTP/1.0\r\n{head}Content-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as stream:
        stream.sendall(text.encode() + body)
        answer = b"".join(iter(lambda: stream.recv(65536), b""))
    if not answer:
        raise ConnectionError("the server closed the connection")
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body


class Server:
    """A server process on a loopback port."""

    def __init__(self, name, command, port, log):
        self.name, self.command, self.port, self.log = name, command, port, log
        self.process = None
        self.token = "none"
        self.basic = "none"
        self.host, self.environment = f"127.0.0.1:{port}", {}

    def start(self):
        """Starts the process; the milliseconds until it answered an item with 200."""
        with open(self.log, "ab") as log:
            begin = time.monotonic()
            environment = {**os.environ, **self.environment}
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=environment)
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() - begin > START_SECONDS_MAX:
                raise SystemExit(f"{self.name} did not start; see {self.log}")
            time.sleep(0.0005)
        return (time.monotonic() - begin) * 1000

    def answers(self):
        """Whether an item can be had: 200, or 401 as long as there is no token to send."""
        try:
            known = self.token != "none"
            headers = {"Authorization": f"Bearer {self.token}"} if known else {}
            status, _ = self.ask("GET", "/ords/hr/hr/employees/7839", headers)
        except OSError:
            return False
        return status == (200 if known or "reference" in self.name else 401)

    def ask(self, method, path, headers, body=b""):
        """One request to it; the status and the body."""
        return exchange(self.port, method, path, {"Host": self.host, **headers}, body)

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def cpu_seconds(self):
        """User and system time of all its threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mb(self, peak=False):
        """Resident memory now, or its peak since `forget_peak`."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        name = "VmHWM" if peak else "VmRSS"
        return int(re.search(rf"{name}:\s+(\d+) kB", status).group(1)) / 1024

    def forget_peak(self):
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")


class Gatepost(Server):
    """Gatepost on a demo folder."""

    def __init__(self, name, binary, folder):
        port = free_port()
        command = [binary, "serve", "--data", str(folder), "--listen", f"127.0.0.1:{port}"]
        super().__init__(name, command, port, folder / "server.log")
        self.binary, self.folder = binary, folder

    def obtain_token(self):
        """Gets a token of the demo's client; it stays good over restarts."""
        demo = json.loads((self.folder / "demo.json").read_text())
        pair = f"{urllib.parse.quote(demo['client_id'])}:{urllib.parse.quote(demo['client_secret'])}"
        self.basic = base64.b64encode(pair.encode()).decode()
        status, body = self.post("/ords/hr/oauth/token", b"grant_type=client_credentials")
        if status != 200:
            raise SystemExit(f"{self.name} gives no token: {status} {body.decode()}")
        self.token = json.loads(body)["access_token"]

    def revoke(self):
        """Revokes the token that it gave last."""
        form = urllib.parse.urlencode({"token": self.token})
        status, body = self.post("/ords/hr/oauth/revoke", form.encode())
        if status != 200:
            raise SystemExit(f"{self.name} revokes nothing: {status} {body.decode()}")

    def post(self, path, form):
        """A form, as the demo's client."""
        kind = "application/x-www-form-urlencoded"
        return self.ask("POST", path, {"Authorization": f"Basic {self.basic}", "Content-Type": kind}, form)

    def copy(self, name, folder, binary=None):
        """The same installation in another folder."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("logs.db*", "server.log"))
        return Gatepost(name, binary or self.binary, folder)


def make_demo(binary, folder, rows, *arguments, rows_of_answer=None):
    """Makes a demo folder: starts the demo and stops it when it has written its description."""
    folder.mkdir(parents=True)
    port = free_port()
    command = [binary, "demo", "--data", str(folder), "--listen", f"127.0.0.1:{port}", "--rows", str(rows)]
    command += arguments
    demo = Server("the demo", command, port, folder / "server.log")
    with open(demo.log, "ab") as log:
        demo.process = subprocess.Popen(command, stdout=log, stderr=log)
    until = time.monotonic() + 120
    while not (folder / "demo.json").exists() or not demo.answers():
        if demo.process.poll() is not None or time.monotonic() > until:
            demo.stop()
            raise SystemExit("gatepost demo did not start")
        time.sleep(0.05)
    demo.stop()
    # Streams of the whole table, all at once.
    with open(folder / "gatepost.toml", "a") as config:
        config.write(f"\n[limits]\nrows = {rows_of_answer or rows}\nstreams = 16\n")


def reference(binary, gatepost, database=None):
    """The bare server on the data of a Gatepost, writing the same links."""
    port = free_port()
    database = database or gatepost.folder / "data" / "hr.db"
    command = [binary, f"127.0.0.1:{port}", str(database), f"http://127.0.0.1:{gatepost.port}/ords/hr"]
    return Server("reference", command, port, gatepost.folder / "reference.log")


def check_same_answers(first, second):
    """Both must answer the same bytes, or the comparison means nothing."""
    for path in ("7839", "?offset=3", "?limit=1000&offset=3"):
        answers = []
        for server in (first, second):
            headers = {"Authorization": f"Bearer {server.token}"}
            status, body = exchange(server.port, "GET", f"/ords/hr/hr/employees/{path}", headers)
            # Two Gateposts differ in nothing but their ports.
            answers.append((status, body.replace(str(server.port).encode(), str(second.port).encode())))
        if answers[0] != answers[1]:
            raise SystemExit(f"{path}: the servers answer differently:\n{answers[0]}\n{answers[1]}")
