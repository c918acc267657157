"""Runs wrk, the load generator, against a server on this machine and reads its report."""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

MISSING = "wrk is not installed (Debian: apt-get install wrk)"


class Failed(RuntimeError):
    """wrk could not run, or the server answered with errors."""


@dataclass(frozen=True, slots=True)
class Report:
    """What wrk measured: answers a second, mean latency in seconds, and bytes a second."""

    rate: float
    latency: float
    requests: int


def available() -> bool:
    """Whether wrk is on this machine."""
    return shutil.which("wrk") is not None


def run(
    url: str, *, connections: int = 32, seconds: int = 5, script: str = "", token: str = ""
) -> Report:
    """Load `url` for a bounded time from one thread. `script` is Lua for the requests."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s"]
    if token:
        command += ["-H", f"Authorization: Bearer {token}"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        if script:
            file.write(script)
            file.flush()
            command += ["-s", str(Path(file.name))]
        done = subprocess.run(
            [*command, url], capture_output=True, text=True, timeout=seconds + 60, check=False
        )
    if done.returncode or "Requests/sec" not in done.stdout:
        raise Failed(done.stderr or done.stdout)
    if "Non-2xx" in done.stdout or re.search(r"Socket errors", done.stdout):
        raise Failed(f"the server answered with errors:\n{done.stdout}")
    return _read(done.stdout)


def _read(text: str) -> Report:
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    number, unit = re.search(r"Latency\s+([\d.]+)(us|ms|s|m)", text).groups()
    scale = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}[unit]
    requests = int(re.search(r"(\d+) requests in", text)[1])
    return Report(rate, float(number) * scale, requests)
