"""Who follows a log is woken by what is new, and reads what a removed container left."""

import asyncio
from pathlib import Path

import pytest

from cluster.aio import tasks, virtual
from cluster.runtime import following, logs
from cluster.runtime.following import LINGER, MOST_LEFT, Following
from cluster.runtime.logs import InFiles, InMemory, Log


class One:
    """The log of one container."""

    def __init__(self, follows: Following, log: Log, name: str = "c") -> None:
        self.follows, self.log, self.name = follows, log, name
        self.ended = False

    async def read(self, offset: int = 0, wait: float = 30.0, limit: int = 1 << 20):
        return await self.follows.read(
            self.name, self.log, offset, limit, wait=wait, ended=lambda: self.ended
        )

    def end(self) -> None:
        self.ended = True
        self.log.close()

    def remove(self) -> None:
        self.end()
        self.follows.removed(self.name, self.log)


def in_memory(follows: Following, name: str = "c") -> One:
    return One(follows, Log(InMemory(), lambda: 0.0), name)


def in_files(follows: Following, folder: Path, **settings: int) -> One:
    settings = {"size": 1000, "files": 3} | settings
    kept = InFiles(folder / "pod" / "main" / "0.log", now=lambda: 0.0, **settings)
    return One(follows, Log(kept, lambda: 0.0))


def texts(data: bytes) -> list[bytes]:
    return [line.split(b" ", 3)[3] for line in data.splitlines()]


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        (lambda one: one.log.write("stdout", b"new\n"), ([b"new"], False)),
        (lambda one: one.log.write("stdout", b"no line yet"), ([], False)),
        (lambda one: one.end(), ([], True)),
        (lambda one: one.remove(), ([], True)),
    ],
    ids=["a line", "half a line", "the end", "the removal"],
)
def test_a_question_waits_for_something_to_tell(what, wanted):
    async def main():
        one, loop = in_memory(Following()), asyncio.get_running_loop()
        begin = loop.time()
        loop.call_later(5, what, one)
        found = await one.read(wait=20.0)
        one.follows.close()
        return loop.time() - begin, texts(found.data), found.ended

    took, *found = virtual.run(main())
    assert tuple(found) == wanted
    assert took == pytest.approx(5 if wanted != ([], False) else 20)


def test_a_question_that_does_not_wait_is_no_followers():
    async def main():
        one = in_memory(Following())
        one.log.write("stdout", b"a\n")
        assert texts((await one.read(wait=0.0)).data) == [b"a"]
        one.remove()
        assert one.log.kept.read(0, 100) == b""
        return one.follows.read_left("c", 0, 100)

    assert virtual.run(main()) is None


def test_files_that_are_removed_can_be_read_as_open_ones(tmp_path):
    def files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async def main():
        one = in_files(Following(), tmp_path)
        for number in range(80):
            one.log.write("stdout", b"line %d\n" % number)
        part = await one.read()
        before = files()
        one.remove()
        assert list(tmp_path.iterdir()) == []
        held, found, place = files() - before, part.data, part.offset + len(part.data)
        while (left := one.follows.read_left("c", place, 100)).data:
            assert left.ended
            found, place = found + left.data, place + len(left.data)
            await asyncio.sleep(LINGER - 1)
        await asyncio.sleep(LINGER + 1)
        assert one.follows.read_left("c", 0, 100) is None
        return held, files() - before, texts(found)[-1], len(found), part.end - part.start

    held, left, last, size, kept = virtual.run(main())
    assert (held, left, last) == (3, 0, b"line 79")
    assert kept > 2000
    assert size == kept


def test_a_new_log_of_the_same_name_is_not_removed_with_the_old_one(tmp_path):
    async def main():
        one = in_files(Following(), tmp_path)
        one.log.write("stdout", b"old\n")
        await one.read()
        one.remove()
        another = in_files(Following(), tmp_path)
        another.log.write("stdout", b"new\n")
        await asyncio.sleep(LINGER + 1)
        return texts((await another.read()).data)

    assert virtual.run(main()) == [b"new"]


def test_so_many_removed_logs_are_kept_and_the_oldest_goes():
    async def main():
        follows = Following()
        for number in range(MOST_LEFT + 2):
            one = in_memory(follows, f"c-{number}")
            one.log.write("stdout", b"a\n")
            await one.read()
            one.remove()
        known = [follows.read_left(f"c-{number}", 0, 10) for number in range(MOST_LEFT + 2)]
        follows.close()
        return [part is not None for part in known]

    assert virtual.run(main()) == [False, False, *[True] * MOST_LEFT]


def test_who_came_too_long_ago_is_not_waited_for():
    async def main():
        one = in_memory(Following())
        one.log.write("stdout", b"a\n")
        await one.read(wait=10.0)
        await asyncio.sleep(10 + LINGER + 1)
        one.remove()
        return one.follows.read_left("c", 0, 10)

    assert virtual.run(main()) is None


def test_following_goes_over_turns(tmp_path):
    async def main():
        one = in_files(Following(), tmp_path)
        found, place = b"", 0

        async def follow():
            nonlocal found, place
            while not (part := await one.read(place, limit=333)).ended or part.data:
                assert part.offset == place
                found, place = found + part.data, place + len(part.data)

        async with asyncio.TaskGroup() as group:
            group.create_task(follow())
            for number in range(200):
                one.log.write("stdout", b"line %d\n" % number)
                await asyncio.sleep(number % 7 / 10)
            one.end()
        one.remove()
        one.follows.close()
        return texts(found)

    assert virtual.run(main()) == [b"line %d" % number for number in range(200)]


def test_who_leaves_while_he_waits_leaves_nothing():
    async def main():
        one = in_memory(Following())
        async with tasks.Group("followers") as group:
            group.spawn(one.read(wait=following.MOST_SECONDS), "follower")
            await asyncio.sleep(1)
            group.cancel()
        one.log.write("stdout", b"a\n")
        return texts((await one.read()).data)

    assert virtual.run(main()) == [b"a"]


def test_who_lags_reads_the_files_that_have_turned_over_meanwhile(tmp_path):
    async def main():
        one = in_files(Following(), tmp_path)
        written = [b"line %d" % number for number in range(500)]
        one.log.write("stdout", written[0] + b"\n")
        found = await one.read()
        place, data = found.offset + len(found.data), found.data
        for line in written[1:]:
            one.log.write("stdout", line + b"\n")
        assert len(list(tmp_path.glob("*/*/*"))) == 3
        while place < one.log.kept.end:
            found = await one.read(place, limit=700)
            assert found.offset == place
            place, data = place + len(found.data), data + found.data
        assert texts(data) == written
        assert found.start > 0
        assert not one.log.kept._gone
        one.remove()
        one.follows.close()

    virtual.run(main())


def test_two_who_lag_at_the_same_place_both_read_what_has_turned_over(tmp_path):
    async def main():
        one = in_files(Following(), tmp_path)
        written = [b"line %d" % number for number in range(500)]
        one.log.write("stdout", written[0] + b"\n")
        data, places = [b"", b""], [0, 0]

        async def step(follower: int) -> None:
            found = await one.read(places[follower], limit=300)
            assert found.offset == places[follower]
            places[follower] += len(found.data)
            data[follower] += found.data

        await step(0)
        await step(1)
        for line in written[1:]:
            one.log.write("stdout", line + b"\n")
        while min(places) < one.log.kept.end:
            await step(0)  # one after another, always from the same place
            await step(1)
        assert [texts(one) for one in data] == [written, written]
        assert not one.log.kept._gone
        one.remove()
        one.follows.close()

    virtual.run(main())


def test_nothing_is_kept_for_one_who_has_gone_while_another_follows(tmp_path):
    async def main():
        one = in_files(Following(), tmp_path)
        one.log.kept._now = asyncio.get_running_loop().time
        one.log.write("stdout", b"first\n")
        gone = await one.read()
        other = await one.read()
        place = other.offset + len(other.data)
        assert place == len(gone.data)
        for number in range(500):
            one.log.write("stdout", b"line %d\n" % number)
            found = await one.read(place)
            place += len(found.data)
        assert one.log.kept.end - one.log.kept.start > 10_000
        await asyncio.sleep(logs.AWAY_SECONDS)
        one.log.write("stdout", b"last\n")
        await one.read(place)
        assert one.log.kept.end - one.log.kept.start <= 4000
        one.remove()
        one.follows.close()

    virtual.run(main())


def test_what_is_kept_for_who_lags_is_bounded_in_bytes_and_time(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "HELD_BYTES", 3000)

    async def main():
        one = in_files(Following(), tmp_path)
        one.log.write("stdout", b"first\n")
        await one.read()
        for number in range(500):
            one.log.write("stdout", b"line %d\n" % number)
        kept = one.log.kept
        assert 5000 <= kept.end - kept.start <= 6000
        await asyncio.sleep(2 * (30 + LINGER))
        assert kept.end - kept.start <= 3000
        one.remove()
        one.follows.close()

    virtual.run(main())
