"""Streams from a real kubectl through API server and kubelet to a container, and back.

Of an exec, what a client pays that is running already is told beside what kubectl takes, which has
to start, to find the cluster and to negotiate first.
"""

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.clusters import Cluster
from benchmarks.figures import Figure, Outcome, Skipped

_LINES: Final = 100_000
"""Lines a second that are asked for."""
_SECONDS: Final = 8.0
_BATCH: Final = 6_000
_MEGABYTES: Final = 100
_FORWARDS: Final = 50
_EXECS: Final = 40
# Its turns take the time that writing takes, too: it writes somewhat more than is asked for.
_WRITER: Final = f"while true; do seq 1 {_BATCH}; sleep 0.05; done"
_FLOOD: Final = "seq 1 3000000; echo over; sleep 3600"


def measure() -> Iterator[Outcome]:
    """One node, whose containers are talked to."""
    if shutil.which("kubectl") is None:
        yield Skipped("streams", "kubectl is not installed")
        return
    with Cluster("--nodes", "1") as cluster:
        for name, image, command in (
            ("tools", "busybox", "sleep 36000"), ("writer", "busybox", _WRITER),
            ("flood", "busybox", _FLOOD), ("web", "nginx", ""),
        ):  # fmt: skip
            told = ("--", "sh", "-c", command) if command else ()
            cluster.kubectl("run", name, f"--image={image}", *told)
        cluster.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s")
        yield from _flood(cluster)
        yield from _followed(cluster)
        cluster.kubectl("delete", "pod", "writer", "flood", "--grace-period=1")
        yield from _execs(cluster)
        yield from _copies(cluster)
        yield from _forwards(cluster)


# ---- logs ----------------------------------------------------------------------------------------


def _flood(cluster: Cluster) -> Iterator[Outcome]:
    """How fast a log comes that is there already."""
    begin, count = time.perf_counter(), 0
    with _kubectl(cluster, "logs", "-f", "flood") as process:
        for line in process.stdout:
            if line == b"over\n":
                break
            count += 1
    rate = count / (time.perf_counter() - begin)
    yield Figure("logs: lines a second of what is there", rate, "1/s", _LINES, note=f"{count:,}")


def _followed(cluster: Cluster) -> Iterator[Outcome]:
    """Follow a container that writes so many lines a second; each has to come, in order."""
    lost = counted = 0
    expected = 0
    with _kubectl(cluster, "logs", "-f", "--tail=1", "writer") as process:
        begin = time.perf_counter()
        for line in process.stdout:
            number = int(line)
            if expected and number != expected:
                lost += (number - expected) % _BATCH
            expected = number % _BATCH + 1
            counted += 1
            if counted % 1000 == 0 and time.perf_counter() - begin > _SECONDS:
                break
        took = time.perf_counter() - begin
    name = "logs -f of a container that writes, lines a second"
    yield Figure(name, counted / took, "1/s", _LINES, note=f"{counted:,} lines")
    yield Figure("logs -f: lines that were lost", lost, "lines", 0, True)


# ---- exec ----------------------------------------------------------------------------------------


def _execs(cluster: Cluster) -> Iterator[Outcome]:
    times = asyncio.run(_exec_times(cluster))
    slow = max(times)
    name = "exec of `true`: connect, run, exit code; median"
    yield Figure(name, statistics.median(times), "ms", 60, True, f"slowest {slow:.0f} ms")
    turns = asyncio.run(_turns(cluster))
    name = "exec -i: a line to `cat` and back, median"
    yield Figure(name, statistics.median(turns), "ms", 60, True, f"slowest {max(turns):.0f} ms")
    own = [_timed(cluster, "version", "--client") for _ in range(5)]
    whole = [_timed(cluster, "exec", "tools", "--", "true") for _ in range(10)]
    note = f"kubectl starts in {statistics.median(own):.0f} ms"
    yield Figure("kubectl exec of `true`, median", statistics.median(whole), "ms", None, True, note)


def _timed(cluster: Cluster, *command: str) -> float:
    begin = time.perf_counter()
    cluster.kubectl(*command)
    return (time.perf_counter() - begin) * 1e3


def _exec_url(cluster: Cluster, *command: str, stdin: bool = False) -> str:
    words = "&".join(f"command={word}" for word in command)
    base = f"{cluster.url}/api/v1/namespaces/default/pods/tools/exec"
    return f"{base}?container=tools&stdout=true&stderr=true&stdin={str(stdin).lower()}&{words}"


async def _exec_times(cluster: Cluster) -> list[float]:
    """Milliseconds, each over a connection of its own."""
    import aiohttp

    found = []
    for _ in range(_EXECS + 1):
        connector = aiohttp.TCPConnector(ssl=cluster.tls, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            begin = time.perf_counter()
            url = _exec_url(cluster, "true")
            async with session.ws_connect(url, protocols=("v5.channel.k8s.io",)) as socket_:
                said = b""
                async for message in socket_:
                    if message.data[:1] == b"\x03":
                        said = message.data[1:]
                        break
            found.append((time.perf_counter() - begin) * 1e3)
            if b"Success" not in said:
                raise RuntimeError(f"exec says {said!r}")
    return found[1:]


async def _turns(cluster: Cluster) -> list[float]:
    """Milliseconds of each line, on one stream."""
    import aiohttp

    found = []
    connector = aiohttp.TCPConnector(ssl=cluster.tls)
    async with aiohttp.ClientSession(connector=connector) as session:
        url = _exec_url(cluster, "cat", stdin=True)
        async with session.ws_connect(url, protocols=("v5.channel.k8s.io",)) as socket_:
            for number in range(_EXECS):
                line, heard = b"line %d\n" % number, b""
                begin = time.perf_counter()
                await socket_.send_bytes(b"\0" + line)
                while heard != line:
                    message = await asyncio.wait_for(socket_.receive(), 10)
                    heard += message.data[1:]
                found.append((time.perf_counter() - begin) * 1e3)
    return found


# ---- cp ------------------------------------------------------------------------------------------


def _copies(cluster: Cluster) -> Iterator[Outcome]:
    with tempfile.TemporaryDirectory() as folder:
        there, back = Path(folder) / "there", Path(folder) / "back"
        there.write_bytes(os.urandom(_MEGABYTES << 20))
        for name, source, target in (
            ("to the pod", str(there), "tools:/tmp/big"),
            ("from the pod", "tools:/tmp/big", str(back)),
        ):
            begin = time.perf_counter()
            cluster.kubectl("cp", source, target)
            took = time.perf_counter() - begin
            rate = f"{_MEGABYTES / took:.0f} MB/s"
            yield Figure(f"cp of {_MEGABYTES} MB {name}", took, "s", None, True, rate)
        same = _digest(there) == _digest(back)
        yield Figure("cp: both ways equal by digest (1: yes)", float(same), "", 1)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ---- port-forward --------------------------------------------------------------------------------


def _forwards(cluster: Cluster) -> Iterator[Outcome]:
    """As many kubectls at once, each asked several times over its port, all at the same time."""
    with contextlib.ExitStack() as stack:
        begin = time.perf_counter()
        running = [
            stack.enter_context(_kubectl(cluster, "port-forward", "pod/web", ":80"))
            for _ in range(_FORWARDS)
        ]
        ports = [_forwarded(process) for process in running]
        ready = time.perf_counter() - begin
        results: list[bool] = []
        threads = [threading.Thread(target=_ask, args=(port, results)) for port in ports]
        begin = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - begin
    note = f"{len(results)} requests in {took:.2f} s, all forwarding after {ready:.1f} s"
    yield Figure("port-forwards at once, all answered", float(sum(results)) / 5, "", _FORWARDS,
                 note=note)  # fmt: skip


def _forwarded(process: "subprocess.Popen[bytes]") -> int:
    for line in process.stdout or ():
        found = re.match(rb"Forwarding from 127\.0\.0\.1:(\d+)", line)
        if found:
            return int(found[1])
    raise RuntimeError("kubectl port-forward has ended")


def _ask(port: int, results: list[bool]) -> None:
    for _ in range(5):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
                results.append(answer.status == 200 and bool(answer.read()))
        except OSError:
            results.append(False)


@contextlib.contextmanager
def _kubectl(cluster: Cluster, *command: str) -> Iterator[Any]:
    process = subprocess.Popen(
        ["kubectl", "--kubeconfig", cluster.kubeconfig, *command],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()
