"""etcd as a store where members die, answers are lost and history is gone: real etcd throughout."""

import asyncio
import itertools
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import etcds
import grpc
import pytest

from cluster.aio import tasks
from cluster.aio.clock import SystemClock
from cluster.launcher import pki
from cluster.storage.etcd import members as etcd_members
from cluster.storage.etcd.keys import Keys, prefix_end
from cluster.storage.etcd.settings import Settings
from cluster.storage.etcd.store import EtcdStorage
from cluster.storage.interface import (
    Change,
    Deleted,
    Event,
    Mismatch,
    Record,
    TooEarly,
    Unavailable,
)

ROOT = "/registry/"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: Any) -> Iterator[list[etcds.Etcd]]:
    """One member, for all tests that leave it well."""
    with etcds.running(tmp_path_factory.mktemp("etcd")) as members:
        yield members


def run(scenario: Callable[[], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(60):
            return await scenario()

    return asyncio.run(main())


class LostAnswers:
    """Calls by name whose answers are lost: they are carried out, and nobody is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: dict[str, int] = {}
        self.before: Callable[[], Awaitable[object]] | None = None
        begin = etcd_members.Member.begin

        def losing(member: Any, name: str, request: Any, seconds: float) -> Any:
            if not self.left.get(name, 0):
                return begin(member, name, request, seconds)
            self.left[name] -= 1
            return self._lost(begin(member, name, request, seconds))

        monkeypatch.setattr(etcd_members.Member, "begin", losing)

    async def _lost(self, call: Any) -> None:
        await call
        if self.before is not None:
            before, self.before = self.before, None
            await before()
        nothing = grpc.aio.Metadata()
        raise grpc.aio.AioRpcError(
            grpc.StatusCode.UNAVAILABLE, nothing, nothing, details="Socket closed"
        )


@pytest.mark.parametrize("tries", [1, 3])
def test_a_write_whose_answer_is_lost_is_made_once_and_told(alone, monkeypatch, tries):
    lost = LostAnswers(monkeypatch)

    async def scenario():
        storage = etcds.store(alone, f"/lost-{tries}")
        await storage.open()
        heard: list[Event] = []
        storage.subscribe(storage.revision, heard.extend)
        lost.left["Txn"] = tries
        (made,) = await storage.write([Change(ROOT + "a", b"1", 0)])
        lost.left["Txn"] = tries
        (changed,) = await storage.write([Change(ROOT + "a", b"2", made.revision)])
        lost.left["Txn"] = tries
        (over,) = await storage.write([Change(ROOT + "a", b"3", None)])
        lost.left["Txn"] = tries
        (gone,) = await storage.write([Change(ROOT + "a", None, over.revision)])
        await storage.close()
        assert [type(one) for one in (made, changed, over, gone)] == [Record] * 3 + [Deleted]
        assert [event.revision for event in heard] == [
            made.revision, changed.revision, over.revision, gone.revision,
        ]  # fmt: skip

    run(scenario)


def test_a_write_whose_answer_is_lost_is_told_though_it_was_overwritten_since(alone, monkeypatch):
    lost = LostAnswers(monkeypatch)

    async def scenario():
        storage, other = etcds.store(alone, "/over"), etcds.store(alone, "/over")
        await storage.open()
        await other.open()

        async def overwrite() -> None:
            current = await other.get(ROOT + "a")
            assert current is not None
            await other.write([Change(ROOT + "a", b"theirs", current.revision)])

        lost.left["Txn"], lost.before = 1, overwrite
        (made,) = await storage.write([Change(ROOT + "a", b"ours", 0)])
        now = await storage.get(ROOT + "a")
        assert isinstance(made, Record)
        assert (made.value, now.value, now.created) == (b"ours", b"theirs", made.revision)
        await storage.close()
        await other.close()

    run(scenario)


def test_a_write_that_lost_its_answer_and_a_race_says_what_is_there(alone, monkeypatch):
    """The change was not made: another was faster, and that is what the second try finds."""

    async def scenario():
        storage = etcds.store(alone, "/race")
        await storage.open()
        (theirs,) = await storage.write([Change(ROOT + "a", b"theirs", 0)])
        LostAnswers(monkeypatch).left["Txn"] = 1
        (ours,) = await storage.write([Change(ROOT + "a", b"ours", 0)])
        await storage.close()
        assert ours == Mismatch(theirs)

    run(scenario)


def test_an_event_of_others_is_heard_and_the_newest_revision_waited_for(alone):
    async def scenario():
        storage, other = etcds.store(alone, "/both"), etcds.store(alone, "/both")
        stranger = etcds.store(alone, "/strange")
        for one in (storage, other, stranger):
            await one.open()
        heard: list[Event] = []
        storage.subscribe(storage.revision, heard.extend)
        for number in range(30):
            (made,) = await other.write([Change(ROOT + "a", b"%d" % number, None)])
            assert await storage.newest() == made.revision
            assert heard[-1].record == made
            # What is written under another prefix is a revision of etcd, and nobody's here.
            await stranger.write([Change(ROOT + "b", b"x", None)])
            assert await storage.newest() == made.revision
        assert len(heard) == 30
        for one in (storage, other, stranger):
            await one.close()

    run(scenario)


def test_of_several_servers_one_compacts_in_each_interval(alone):
    async def scenario():
        stores = [etcds.store(alone, "/turns") for _ in range(3)]
        for one in stores:
            await one.open()
        for one in stores:
            await one.turn(1)  # learns whose turn it was last
        for _ in range(4):
            turns = [await one.turn(1) for one in stores]
            assert sum(turns) == 1
        await stores[2].close()
        await stores[0].close()
        survivor = [await stores[1].turn(1) for _ in range(3)]
        assert survivor[-2:] == [True, True]
        await stores[1].close()

    run(scenario)


def test_a_server_that_missed_what_is_compacted_says_that_it_must_begin_anew(alone):
    async def scenario():
        storage, other = etcds.store(alone, "/missed"), etcds.store(alone, "/missed")
        await storage.open()
        await other.open()
        heard: list[Event] = []
        storage.subscribe(storage.revision, heard.extend)
        hearing = storage._parts[1]
        hearing._following.cancel()
        for number in range(5):
            await other.write([Change(ROOT + "a", b"%d" % number, None)])
        await other.compact(other.revision)
        hearing._following = hearing._background.spawn(hearing._keep_on(), "all")
        with pytest.raises(Unavailable, match="forgotten what happened after revision"):
            await storage.lasting()
        assert heard == []
        await storage.close()
        await other.close()

    run(scenario)


class Wall:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC."""
        return self.seconds


def test_when_revisions_were_made_is_known_to_servers_that_start_later(alone, monkeypatch):
    monkeypatch.setattr("cluster.storage.etcd.clockmarks.EVERY", 0.02)
    clock = Wall()
    settings = Settings((alone[0].url,), prefix="/times")

    async def scenario():
        first = EtcdStorage(settings, random=etcds.Random(1), clock=clock)
        await first.open()
        revisions = []
        for _ in range(4):
            clock.seconds += 100
            (made,) = await first.write([Change(ROOT + "a", b"x", None)])
            revisions.append(made.revision)
            while first._parts[1].marked[0] < made.revision:
                clock.seconds += 0.01
                await asyncio.sleep(0.01)
        assert await first.revision_at(1250) == revisions[1]
        await first.close()
        later = EtcdStorage(settings, random=etcds.Random(2), clock=clock)
        await later.open()
        assert await later.revision_at(1250) == revisions[1]
        assert await later.revision_at(clock.seconds) == revisions[3]
        with pytest.raises(TooEarly):
            await later.revision_at(1)
        await later.compact(later.revision)
        await later.close()
        last = EtcdStorage(settings, random=etcds.Random(3), clock=clock)
        async with asyncio.timeout(2):  # nothing of the clock's history is left to be waited for
            await last.open()
        assert await last.revision_at(clock.seconds) == revisions[3]
        await last.close()

    run(scenario)


def test_a_full_etcd_says_what_to_do_and_takes_writes_again_after_it(tmp_path):
    flags = ("--quota-backend-bytes", str(2 << 20))

    async def scenario(members):
        storage = etcds.store(members)
        await storage.open()
        made: Any = None

        async def fill() -> None:
            nonlocal made
            for _ in range(100):
                (made,) = await storage.write([Change(ROOT + "a", bytes(200_000), None)])

        with pytest.raises(Unavailable, match="kubemu store compact"):
            await fill()
        with pytest.raises(Unavailable, match="NOSPACE"):
            await storage.check()
        assert (await storage.get(ROOT + "a")).revision == made.revision
        await storage.compact(storage.revision)
        before, after = await storage.defragment()
        assert after < before / 2
        (again,) = await storage.write([Change(ROOT + "a", b"1", made.revision)])
        assert isinstance(again, Record)
        await storage.check()
        await storage.close()

    with etcds.running(tmp_path, flags=flags) as members:
        run(lambda: scenario(members))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "paused"])
def test_a_member_lost_under_load_fails_no_write_and_no_event_is_missed(tmp_path, how):
    async def scenario(members):
        storage = etcds.store(members, try_seconds=1.0)
        await storage.open()
        heard: list[Event] = []
        storage.subscribe(storage.revision, heard.extend)
        made: dict[int, str] = {}
        victim = {member.url: member for member in members}[storage._parts[0].current.server]
        stop = asyncio.Event()

        async def writer(name: str) -> None:
            number = 0
            while not stop.is_set():
                key = f"{ROOT}{name}/{number}"
                (result,) = await storage.write([Change(key, key.encode(), 0)])
                assert isinstance(result, Record)
                assert heard[-1].revision >= result.revision
                made[result.revision] = key
                number += 1

        async with tasks.Group("load") as group:
            for number in range(8):
                group.spawn(writer(str(number)), str(number))
            await asyncio.sleep(0.3)
            victim.kill(how)
            before = len(made)
            while len(made) < before + 200:
                await asyncio.sleep(0.02)
            stop.set()
        assert {event.revision: event.key for event in heard} == made
        assert [event.revision for event in heard] == sorted(made)
        await storage.close()
        fresh = etcds.store([member for member in members if member is not victim])
        await fresh.open()
        found = await fresh.range(ROOT)
        assert {record.revision: record.key for record in found.records} == made
        await fresh.close()

    with etcds.running(tmp_path, size=3) as members:
        run(lambda: scenario(members))


def test_without_a_quorum_writes_and_reads_end_in_time_with_a_sentence(tmp_path):
    async def scenario(members):
        first = etcds.store(members)  # waits until they have found each other
        await first.open()
        await first.close()
        storage = etcds.store(members, try_seconds=0.3, patience_seconds=1.0)
        await storage.open()
        (made,) = await storage.write([Change(ROOT + "a", b"1", 0)])
        members[1].kill()
        members[2].kill()
        loop = asyncio.get_running_loop()
        start = loop.time()
        with pytest.raises(Unavailable, match=r"no quorum.*/registry/a was written is not known"):
            await storage.write([Change(ROOT + "a", b"2", made.revision)])
        for call in (storage.newest, storage.check, lambda: storage.get(ROOT + "a")):
            with pytest.raises(Unavailable, match="no quorum"):
                await call()
        assert loop.time() - start < 8
        members[1].start(f"{','.join(f'{m.name}={m.peer_url}' for m in members)}")
        again: Any = None
        for number in itertools.count():  # one that was told to be in doubt may have been made
            with suppress(Unavailable):
                (again,) = await storage.write([Change(f"{ROOT}b/{number}", b"3", 0)])
                break
        assert isinstance(again, Record)
        await storage.close()

    with etcds.running(tmp_path, size=3) as members:
        run(lambda: scenario(members))


def test_an_etcd_that_is_not_there_is_told_in_a_sentence():
    async def scenario():
        settings = Settings(("http://127.0.0.1:1",), try_seconds=0.2, patience_seconds=0.5)
        with pytest.raises(Unavailable, match=r"etcd at http://127.0.0.1:1 does not answer"):
            await EtcdStorage(settings, random=etcds.Random(1)).open()

    run(scenario)


def test_members_are_spoken_to_by_tls_with_a_certificate(tmp_path):
    flags = (
        "--cert-file", str(tmp_path / "server.crt"), "--key-file", str(tmp_path / "server.key"),
        "--trusted-ca-file", str(tmp_path / "ca.crt"), "--client-cert-auth",
    )  # fmt: skip
    path = etcds.program()
    member = etcds.Etcd(path, tmp_path, flags=flags)
    member.url = member.url.replace("http://", "https://")
    now = SystemClock().now()
    authority = pki.Authority.create(now)
    server = authority.serving("etcd", ["127.0.0.1", "localhost"], now)
    (tmp_path / "server.crt").write_bytes(server.certificate)
    (tmp_path / "server.key").write_bytes(server.key)
    ca = authority.pair.certificate
    (tmp_path / "ca.crt").write_bytes(ca)
    client = authority.client(pki.Subject("kube-apiserver-etcd-client"), now)
    member.start()

    async def scenario():
        settings = Settings((member.url,), ca=ca, certificate=client.certificate, key=client.key)
        storage = EtcdStorage(settings, random=etcds.Random(1))
        await storage.open()
        (made,) = await storage.write([Change(ROOT + "a", b"1", 0)])
        assert isinstance(made, Record)
        await storage.close()
        nobody = Settings((member.url,), ca=ca, try_seconds=0.3, patience_seconds=0.6)
        with pytest.raises(Unavailable, match="does not answer"):
            await EtcdStorage(nobody, random=etcds.Random(1)).open()

    try:
        run(scenario)
    finally:
        member.kill()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"servers": ()}, "at least one"),
        ({"servers": ("ftp://a:1",)}, "http or https"),
        ({"servers": ("http://a:1", "https://b:1")}, "by TLS, or none"),
        ({"servers": ("http://a",)}, "host and port"),
        ({"servers": ("https://a:1",), "key": b"x"}, "its certificate"),
        ({"servers": ("http://a:1",), "ca": b"x"}, "need servers with https"),
        ({"servers": ("http://a:1",), "try_seconds": 20.0}, "patience_seconds"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        Settings(**settings)


@pytest.mark.parametrize(
    ("prefix", "name"),
    [("/registry", b"/registry/a/b"), ("/x/y/", b"/x/y/a/b"), ("x", b"/x/a/b"), ("", b"/a/b")],
)
def test_keys_are_named_under_any_prefix_and_known_again(prefix, name):
    keys = Keys(prefix)
    assert keys.named(ROOT + "a/b") == name
    assert keys.known(name) == ROOT + "a/b"
    start, end = keys.span(ROOT + "a/", ROOT + "a/b")
    assert start == name + b"\0"
    assert start < end
    assert keys.known(b"elsewhere") is None
    with pytest.raises(ValueError, match="no key of this store"):
        keys.named("/other")


def test_the_end_of_a_prefix_is_past_all_that_begin_with_it():
    assert prefix_end(b"a/") == b"a0"
    assert prefix_end(b"a\xff") == b"b"
    assert prefix_end(b"\xff\xff") == b"\0"
