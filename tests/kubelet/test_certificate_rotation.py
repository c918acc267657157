"""A kubelet's certificates that live for seconds: asked for anew before they end."""

import asyncio
import base64
import itertools
import random
import ssl
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from cryptography import x509

from cluster.aio.clock import SystemClock
from cluster.api import certificates
from cluster.cli import process, rotationflags
from cluster.controllers.certificates.authority import Authority
from cluster.controllers.certificates.decision import SIGNERS
from cluster.kubelet import rotation
from cluster.kubelet.config import Config
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


def test_a_kubelet_that_has_nothing_to_serve_with_begins_with_what_nobody_believes(tmp_path):
    made, cluster, clock = rotating(tmp_path, rotation.Purpose(rotation.SERVER, "n1", ("n1",)))
    rotating_ = rotationflags.Rotating(tmp_path / "pki", client=False, server=True)
    shown, _ = rotating_.serving(None, None)
    assert shown == rotation.current(tmp_path / "pki", rotation.SERVER)
    assert shown.stat().st_mode & 0o777 == 0o600
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(shown)
    first = x509.load_pem_x509_certificate(shown.read_bytes())
    assert not pki.Authority.create(START).issued(first)
    assert first.not_valid_after_utc.timestamp() < clock.now() - 86400
    assert made._deadline() <= clock.now(), "it asks at once"
    asyncio.run(made.renew())
    found = x509.load_pem_x509_certificate(shown.read_bytes())
    found.verify_directly_issued_by(
        x509.load_pem_x509_certificate(cluster.authority.certificate_pem)
    )
    # Started again it goes on with that.
    assert rotating_.serving(None, None) == (shown, shown)
    assert x509.load_pem_x509_certificate(shown.read_bytes()) == found


def test_the_serving_certificate_names_every_address_at_which_it_is_reached(tmp_path):
    config = Config("n1", node_ip="10.0.0.1", kubelet_address="127.0.0.9")
    seams = process.Seams(Clock(), random.Random(1))
    rotating_ = rotationflags.Rotating(tmp_path, client=True, server=True)
    client, server = rotating_.components(config, Cluster(Clock()), seams, b"its certificate")
    assert client._purpose.hosts == ()
    assert server._purpose.hosts == ("n1", "10.0.0.1", "127.0.0.9")
    # Over a connection without certificates there is none to renew.
    assert len(rotating_.components(config, Cluster(Clock()), seams, b"")) == 1


def test_who_uses_a_certificate_hears_of_the_next_at_once(tmp_path):
    rotating_ = rotationflags.Rotating(tmp_path, client=True, server=False)
    cluster, seams = Cluster(Clock()), process.Seams(Clock(), random.Random(1))
    (made,) = rotating_.components(Config("n1"), cluster, seams, b"its certificate")

    async def story() -> None:
        assert not rotating_.written.is_set()
        await made.renew()
        assert rotating_.written.is_set()

    asyncio.run(story())


@pytest.mark.parametrize("by_flag", [True, False])
def test_hollow_nodes_rotate_nothing_and_only_a_flag_is_an_error(tmp_path, by_flag):
    @click.command()
    @rotationflags.options
    @click.pass_context
    def command(context: click.Context, **values: object) -> None:
        if not by_flag:
            values["rotate_certificates"] = True  # as a configuration file does
        found = rotationflags.from_flags(values, str(tmp_path), hollow=True)
        assert (found.client, found.server) == (False, False)

    given = ["--rotate-certificates"] if by_flag else []
    found = CliRunner().invoke(command, given)
    assert found.exit_code == (2 if by_flag else 0)
    assert "Hollow nodes have one certificate" in found.output
