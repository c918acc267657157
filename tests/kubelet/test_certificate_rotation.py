"""A kubelet's certificates that live for seconds: asked for anew before they end."""

import asyncio
import base64
import itertools
import random
from pathlib import Path

import pytest
from cryptography import x509

from cluster.aio.clock import SystemClock
from cluster.api import certificates
from cluster.controllers.certificates.authority import Authority
from cluster.controllers.certificates.decision import SIGNERS
from cluster.kubelet import rotation
from cluster.launcher import pki

START = SystemClock().now()


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> float:
        return self.time


class Cluster:
    """An API that signs what the signers of Kubernetes would, for `seconds`; or denies it."""

    def __init__(self, clock: Clock, seconds: float = 10.0) -> None:
        pair = pki.Authority.create(START).pair
        self.authority = Authority(pair.certificate, pair.key)
        self.clock, self.seconds = clock, seconds
        self.denies = False
        self.made: list[dict] = []

    async def create(self, resource: str, obj: dict) -> dict:
        assert resource == rotation.REQUESTS
        self.made.append({**obj, "metadata": {"name": f"csr-{len(self.made)}"}})
        return self.made[-1]

    async def get(self, resource: str, name: str) -> dict:
        found = self.made[int(name.partition("-")[2])]
        if self.denies:
            conditions = [{"type": "Denied", "status": "True", "message": "no"}]
            return {**found, "status": {"conditions": conditions}}
        spec = found["spec"]
        request = certificates.request_of(spec["request"])
        assert SIGNERS[spec["signerName"]](request, spec["usages"]) == ""
        pem = self.authority.sign(
            request, spec["usages"], seconds=self.seconds, now=self.clock.now(), serial=7
        )
        return {**found, "status": {"certificate": base64.b64encode(pem).decode()}}


def rotating(tmp_path: Path, purpose: rotation.Purpose) -> tuple[rotation.Rotation, Cluster, Clock]:
    clock = Clock()
    cluster = Cluster(clock, 100.0)
    made = rotation.Rotation(purpose, tmp_path / "pki", cluster, clock, random.Random(1))
    return made, cluster, clock


@pytest.mark.parametrize("name", [rotation.CLIENT, rotation.SERVER])
def test_a_new_pair_is_kept_privately_and_the_link_leads_to_it(tmp_path, name):
    hosts = ("n1", "127.0.0.9") if name == rotation.SERVER else ()
    made, _, clock = rotating(tmp_path, rotation.Purpose(name, "n1", hosts))
    link = rotation.current(tmp_path / "pki", name)

    async def story() -> None:
        await made.renew()
        first = link.read_bytes()
        clock.time += 5
        await made.renew()
        assert link.is_symlink()
        assert link.read_bytes() != first

    asyncio.run(story())
    assert len(list((tmp_path / "pki").glob(f"{name}-2*.pem"))) == 1
    assert link.stat().st_mode & 0o777 == 0o600
    found = x509.load_pem_x509_certificate(link.read_bytes())
    assert found.subject.rfc4514_string() == "CN=system:node:n1,O=system:nodes"
    if hosts:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["n1"]
    import ssl

    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(link, link)


def test_it_is_due_at_70_to_90_percent_of_its_life():
    generator = random.Random(3)
    found = [rotation.due(700.0, 2000.0, generator) for _ in range(200)]
    assert 1700 <= min(found) < 1720
    assert 1880 < max(found) <= 1900


def test_it_is_renewed_before_it_ends_again_and_again(tmp_path, monkeypatch):
    made, cluster, clock = rotating(tmp_path, rotation.Purpose(rotation.CLIENT, "n1"))
    asked: list[float] = []
    sleep = asyncio.sleep

    async def passing(seconds: float) -> None:
        clock.time += seconds
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", passing)
    create = cluster.create

    async def counted(resource: str, obj: dict) -> dict:
        asked.append(clock.time)
        if len(asked) == 6:
            raise asyncio.CancelledError
        return await create(resource, obj)

    monkeypatch.setattr(cluster, "create", counted)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(made.run())
    lives = [after - before for before, after in itertools.pairwise(asked)]
    assert len(lives) == 5
    # A certificate tells whole seconds.
    assert all(0.6 * cluster.seconds < life < 0.95 * cluster.seconds for life in lives)


def test_one_that_is_denied_is_asked_for_later_and_what_there_is_stays(tmp_path):
    made, cluster, _ = rotating(tmp_path, rotation.Purpose(rotation.CLIENT, "n1"))
    link = rotation.current(tmp_path / "pki", rotation.CLIENT)

    async def story() -> None:
        await made.renew()
        before = link.read_bytes()
        cluster.denies = True
        with pytest.raises(rotation.Refused, match="Denied: no"):
            await made.renew()
        assert link.read_bytes() == before

    asyncio.run(story())
