"""Authentication, settings and compaction of the API server."""

import asyncio
import hashlib
import ssl

import pytest

from cluster.aio import clock, tasks, virtual
from cluster.api import errors, identity
from cluster.apiserver import authn, compaction
from cluster.apiserver.config import Config
from cluster.apiserver.ledger import Fact, Ledger
from cluster.launcher import pki
from cluster.storage import interface as storage
from cluster.storage.memory import MemoryStorage

NOW = clock.SystemClock().now()


def test_a_certificate_names_user_and_groups():
    authority = pki.Authority.create(NOW)
    subject = pki.Subject("system:node:n1", ("system:nodes",))
    known = authn.Authenticator()
    pem = authority.client(subject, NOW).certificate
    der = ssl.PEM_cert_to_DER_cert(pem.decode())
    user = known.by_pem(pem)
    assert (user.name, user.groups) == ("system:node:n1", ("system:nodes", "system:authenticated"))
    credential = f"X509SHA256={hashlib.sha256(der).hexdigest()}"
    assert user.extra == (("authentication.kubernetes.io/credential-id", (credential,)),)
    assert known.by_pem(b"nonsense") is None
    told = ((("organizationName", "system:nodes"),), (("commonName", "system:node:n1"),))
    assert known.by_certificate(told, der) == user
    assert known.by_certificate(((("organizationName", "system:nodes"),),)) is None


def test_a_certificate_is_good_until_its_end():
    time = [NOW]
    known = authn.Authenticator(now=lambda: time[0])
    pem = pki.Authority.create(NOW).client(pki.Subject("jane"), NOW).certificate
    assert known.by_pem(pem).name == "jane"
    time[0] += pki.LEAF_LIFETIME.total_seconds() + 1
    with pytest.raises(errors.Unauthorized):
        known.by_pem(pem)


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer wrong", "Basic secret", "secret", "Bearer secret2"]
)
def test_unknown_tokens_are_unauthorized(header):
    known = authn.Authenticator({"secret": identity.User("visitor")})
    with pytest.raises(errors.Unauthorized):
        known.by_header(header)
    assert known.by_header("bearer secret").groups == ("system:authenticated",)


def test_token_files_are_read_as_kube_apiserver_reads_them():
    text = 'abc,admin,1,"system:masters,team"\n\n# nobody\nxyz,robot,2\n'
    assert authn.read_tokens(text) == {
        "abc": identity.User("admin", ("system:masters", "team"), "1"),
        "xyz": identity.User("robot", (), "2"),
    }
    with pytest.raises(ValueError, match="line 2"):
        authn.read_tokens("a,b,c\na,b\n")


@pytest.mark.parametrize(
    "settings",
    [
        {"port": 70000},
        {"service_range": "10.0.0.0/33"},
        {"service_range": "10.0.0.0/30"},
        {"node_ports": range(0)},
        {"node_ports": range(60000, 70000)},
        {"advertise": "here"},
        {"compaction_seconds": 0},
        {"ring": 0},
    ],
)
def test_settings_that_cannot_be_used(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        Config(**settings)


def test_history_is_kept_for_an_interval_and_then_let_go():
    async def main():
        store = MemoryStorage()
        async with tasks.Group("test") as group:
            await store.write([storage.Change("a", b"1", 0)])
            group.spawn(compaction.Compaction(store, 300).run(), "compaction")
            await asyncio.sleep(1)
            await store.write([storage.Change("a", b"2", 1)])
            await asyncio.sleep(300)
            assert (await store.get("a", 1)).value == b"1"
            await asyncio.sleep(300)
            with pytest.raises(storage.Compacted):
                await store.get("a", 1)
            assert (await store.get("a", 2)).value == b"2"
            group.cancel()

    virtual.run(main())


def test_a_busy_interval_keeps_no_more_history_than_there_is_room_for():
    async def main():
        store = MemoryStorage()
        async with tasks.Group("test") as group:
            group.spawn(compaction.Compaction(store, 300, most=10).run(), "compaction")
            await asyncio.sleep(0)
            for number in range(1, 31):
                await store.write([storage.Change("a", b"%d" % number, None)])
                await asyncio.sleep(0.001)
                assert (await store.get("a", max(number - 4, 1))) is not None
            with pytest.raises(storage.Compacted):
                await store.get("a", 19)
            group.cancel()

    virtual.run(main())


class FailingStorage(MemoryStorage):
    """Cannot compact for a while."""

    failing = True

    async def compact(self, revision):
        if self.failing:
            raise storage.Unavailable("the disk is full")
        await super().compact(revision)


def test_a_compaction_that_fails_is_tried_again():
    async def main():
        store = FailingStorage()
        async with tasks.Group("test") as group:
            for number in range(1, 6):
                await store.write([storage.Change("a", b"%d" % number, None)])
            group.spawn(compaction.Compaction(store, 300).run(), "compaction")
            await asyncio.sleep(301)
            store.failing = False
            assert (await store.get("a", 1)).value == b"1"
            await asyncio.sleep(300)
            with pytest.raises(storage.Compacted):
                await store.get("a", 1)
            group.cancel()

    virtual.run(main())


def test_the_ledger_is_bounded_and_follows_causes():
    ledger = Ledger(capacity=3)
    for revision in range(1, 6):
        ledger.add(Fact(revision, 0.0, "me", "update", "pods", "default/a", revision - 1))
    assert [fact.revision for fact in ledger] == [3, 4, 5]
    assert [fact.revision for fact in ledger.chain(5)] == [5, 4, 3]
    assert ledger.find(2) is None
    assert ledger.find(4).cause == 3
    assert len(ledger.of("pods", "default/a")) == 3
