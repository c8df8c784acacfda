"""A PostgreSQL server with its usual settings, in a temporary folder, on loopback."""

import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path

from servers import TICKS, free_port

PASSWORD = "of-the-bench"


class Cluster:
    """A running server; `with` ends it and its folder is the caller's to delete."""

    def __init__(self, folder, settings=""):
        self.folder, self.port = folder, free_port()
        self.binaries = binaries()
        self.data = folder / "data"
        folder.mkdir()
        folder.chmod(0o755)
        password = folder / "password"
        password.write_text(PASSWORD)
        if account():
            shutil.chown(folder, account())
        self.run("initdb", "-D", self.data, "-A", "scram-sha-256", "-U", "postgres", "-E", "UTF8", "--locale=C",
                 f"--pwfile={password}")  # fmt: skip
        with open(self.data / "postgresql.conf", "a") as file:
            file.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\nmax_connections = 200\n")
            file.write(f"unix_socket_directories = '{folder}'\n{settings}\n")
        self.run("pg_ctl", "-D", self.data, "-l", folder / "log", "-w", "start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.run("pg_ctl", "-D", self.data, "-m", "fast", "-w", "stop")

    def run(self, tool, *arguments):
        """Runs a program of the server as somebody who may: it refuses root."""
        command = [str(self.binaries / tool), *map(str, arguments)]
        if account():
            command = ["setpriv", f"--reuid={account()}", f"--regid={account()}", "--clear-groups", *command]
        done = subprocess.run(command, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise SystemExit(f"{tool}: {done.stdout}")
        return done.stdout

    def url(self, database):
        return f"postgres://postgres:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def sql(self, database, text):
        """Runs SQL as the administrator; the rows as lines."""
        return self.run("psql", self.url(database), "--no-psqlrc", "-At", "-v", "ON_ERROR_STOP=1", "-c", text)

    def select_only(self, database, clients, seconds):
        """`pgbench --select-only` with prepared statements; transactions a second."""
        text = self.run("pgbench", "-n", "-S", "-M", "prepared", "-c", clients, "-j", 1, "-T", seconds, self.url(database))
        return float(re.search(r"tps = ([\d.]+)", text).group(1))

    def cpu_seconds(self):
        """User and system time of the server, its dead children included."""
        parent = int((self.data / "postmaster.pid").read_text().split()[0])
        total = 0
        for folder in Path("/proc").iterdir():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if folder.name == str(parent):
                total += sum(map(int, fields[11:15]))
            elif int(fields[1]) == parent:
                total += sum(map(int, fields[11:13]))
        return total / TICKS


def binaries():
    """The newest PostgreSQL of this machine."""
    found = [folder for folder in Path("/usr/lib/postgresql").glob("*/bin") if (folder / "pgbench").exists()]
    found += [Path(path).parent for path in filter(None, [shutil.which("pgbench")]) if shutil.which("initdb")]
    if not found:
        raise SystemExit("PostgreSQL is missing: sudo apt-get install postgresql")
    return max(found, key=lambda folder: float(re.sub(r"[^\d.]", "", folder.parent.name) or 0))


def account():
    """Who runs the server when we are root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise SystemExit("PostgreSQL refuses to run as root, and there is no other account")
