"""The programs under measurement, and the tools that measure them."""

import os
import shutil
import subprocess
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
PACKAGES = {"wrk": "wrk", "strip": "binutils"}


def check_tools(*tools):
    for tool in tools:
        if not shutil.which(tool):
            raise SystemExit(f"{tool} is missing: sudo apt-get install {PACKAGES[tool]}")


def programs(options):
    """Builds what is not given: Gatepost, and what it is compared with."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}

    def cargo(folder, package):
        command = ["cargo", "build", "--release", "--locked", "--package", package]
        subprocess.run(command, cwd=folder, env=environment, check=True)
        return str(target / "release" / package)

    gatepost = options.gatepost or cargo(ROOT, "gatepost")
    return gatepost, options.against or cargo(BENCH, "reference")
