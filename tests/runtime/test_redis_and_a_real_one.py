"""What an emulated Redis answers and what a real `redis-server` answers, byte by byte."""

import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redisworld import Talk, commands

from cluster.runtime.emulated.redis import resp

pytestmark = pytest.mark.slow
SERVER = shutil.which("redis-server")
SEEDS = range(20)
LENGTH = 3000


class Real:
    """A real server."""

    def __init__(self, folder: Path) -> None:
        assert SERVER is not None
        self.path = folder / "s"
        words = [
            SERVER,
            "--unixsocket",
            str(self.path),
            "--port",
            "0",
            "--save",
            "",
            "--dir",
            str(folder),
        ]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        self.socket = socket.socket(socket.AF_UNIX)
        until = time.monotonic() + 10
        while self.socket.connect_ex(str(self.path)):
            assert time.monotonic() < until
        self.socket.settimeout(5)

    def send(self, *args: str) -> bytes:
        self.socket.sendall(resp.command([arg.encode() for arg in args]))
        made = b""
        while True:
            made += self.socket.recv(1 << 16)
            replies = resp.Replies()
            replies.feed(made)
            if replies.next() is not None:
                return made


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    if SERVER is None:
        pytest.skip("there is no redis-server (scripts/peers)")
    found = Real(tmp_path_factory.mktemp("redis"))
    yield found
    found.process.terminate()
    found.process.wait()


@pytest.mark.parametrize("seed", SEEDS)
def test_both_answer_the_same(real: Real, seed: int) -> None:
    real.send("discard")
    real.send("unwatch")
    real.send("flushall")
    real.send("select", "0")
    talk = Talk()
    made = commands(random.Random(seed))
    story: list[list[str]] = []
    for _ in range(LENGTH):
        words = next(made)
        story.append(words)
        assert talk.send(*words) == real.send(*words), story[-8:]
