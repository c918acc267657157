"""Watch under stress: each of many watchers sees exactly its events, in order, none twice."""

import asyncio
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import watchstress
from realcluster import KUBEMU, until

from cluster.aio import clock
from cluster.client import channel
from cluster.client.grpc_transport import GrpcTransport
from cluster.launcher import pki

_TOKEN = "stress-token"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Served:
    """An API server by itself, durable, as a process."""

    def __init__(self, folder: Path) -> None:
        now = clock.SystemClock().now()
        self._authority = pki.Authority.create(now)
        serving = self._authority.serving("apiserver", ["localhost", "127.0.0.1"], now)
        admin = self._authority.client(pki.Subject("admin", ("system:masters",)), now)
        ca = self._authority.pem
        (folder / "ca.crt").write_bytes(ca)
        (folder / "tls.crt").write_bytes(serving.certificate)
        (folder / "tls.key").write_bytes(serving.key)
        (folder / "tokens").write_text(f'{_TOKEN},stress,1,"system:masters"\n')
        rest, self.grpc = _free_port(), _free_port()
        self.tls = channel.ChannelTls(ca=ca, certificate=admin.certificate, key=admin.key)
        context = ssl.create_default_context(cadata=ca.decode())
        self.server = watchstress.Server("127.0.0.1", rest, context, _TOKEN)
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *KUBEMU, "apiserver", "--bind-address=127.0.0.1",
                    f"--secure-port={rest}", f"--grpc-port={self.grpc}", "--tls-cert-file=tls.crt",
                    "--tls-private-key-file=tls.key", "--client-ca-file=ca.crt",
                    "--token-auth-file=tokens", "--data-dir=data",
                    # Watchers resume from where they were: no event of the run may be forgotten.
                    "--watch-cache-size=131072",
                ],
                cwd=folder, stdout=log, stderr=log,
                env={key: value for key, value in os.environ.items() if "KUBE" not in key},
            )  # fmt: skip
        until("it serves", lambda: b"serving" in self.log.read_bytes())

    def stress(self, **how: float) -> watchstress.Outcome:
        async def main() -> watchstress.Outcome:
            async with channel.connect([f"localhost:{self.grpc}"], self.tls) as opened:
                return await watchstress.run(self.server, GrpcTransport(opened), **how)

        return asyncio.run(main())


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    yield made
    made.process.terminate()
    try:
        made.process.wait(15)
    finally:
        made.process.kill()


def check(outcome: watchstress.Outcome, served: Served) -> None:
    print(  # noqa: T201  (the figure that a run is made for: `pytest -s`)
        f"{outcome.writes} writes in {outcome.seconds:.1f} s, {outcome.events} events over "
        f"{outcome.connections} connections"
    )
    assert outcome.wrong == []
    log = served.log.read_text()
    assert "Traceback" not in log
    assert '"level":"error"' not in log.replace(" ", "")


def test_watchers_with_random_selectors_and_disconnects_see_exactly_their_events(
    served: Served,
) -> None:
    outcome = served.stress(watchers=150, rate=500, seconds=4, lifetime=2, seed=1)
    check(outcome, served)
    assert outcome.writes == 2000
    assert outcome.connections > 300


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_thousand_watchers_against_two_thousand_writes_a_second(served: Served) -> None:
    outcome = served.stress(watchers=1000, rate=2000, seconds=30, lifetime=20, seed=2)
    check(outcome, served)
    assert outcome.writes == 60_000
    assert outcome.seconds < 33, "the writes could not be kept up"
    assert outcome.connections > 2000
