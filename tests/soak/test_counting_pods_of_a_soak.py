"""How pods are counted while they come and go: through lost watches, refusals and restarts."""

import asyncio
import contextlib
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

sys.path.append(str(Path(__file__).parent.parent.parent / "scripts"))

from cluster.aio import tasks
from soaking import counting

PATH = "/api/v1/namespaces/soak/pods"


def pod(name: str, revision: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": name, "resourceVersion": str(revision)}}


def event(kind: str, name: str, revision: int) -> dict[str, Any]:
    return {"type": kind, "object": pod(name, revision)}


def lost() -> dict[str, Any]:
    return {"type": "ERROR", "object": {"kind": "Status", "code": 410, "metadata": {}}}


class Listed:
    """The answer to a list."""

    def __init__(self, revision: int, *names: str) -> None:
        self.asked = "list"
        self._revision, self._names = revision, names

    async def answer(self, _request: web.Request) -> web.StreamResponse:
        items = [pod(name, 1) for name in self._names]
        return web.json_response(
            {"metadata": {"resourceVersion": str(self._revision)}, "items": items}
        )


class Watched:
    """The answer to a watch from a revision: events, and the end of the connection."""

    def __init__(self, revision: int, *events: dict[str, Any]) -> None:
        self.asked = f"watch {revision}"
        self._events = events

    async def answer(self, request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse()
        await stream.prepare(request)
        for each in self._events:
            await stream.write(json.dumps(each).encode() + b"\n")
        return stream


class Broken(Watched):
    """A connection that is cut while the answer comes."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        stream = await super().answer(request)
        assert request.transport is not None
        request.transport.close()
        return stream


class Refused:
    """A Status instead."""

    def __init__(self, asked: str, code: int) -> None:
        self.asked = asked
        self._code = code

    async def answer(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"kind": "Status", "code": self._code}, status=self._code)


Answer = Listed | Watched | Refused


def counted(*answers: Answer) -> counting.Counting:
    """What was counted when the answers were all given, and what followed was refused."""
    asked: list[str] = []

    async def main() -> counting.Counting:
        left, done = list(answers), asyncio.Event()

        async def serve(request: web.Request) -> web.StreamResponse:
            if not left:
                done.set()
                return web.Response(status=500)
            query = request.query
            asked.append(f"watch {query['resourceVersion']}" if "watch" in query else "list")
            return await left.pop(0).answer(request)

        app = web.Application()
        app.router.add_get(PATH, serve)
        async with serving(app) as url, aiohttp.ClientSession(url) as session:
            found = counting.Counting(PATH, Counter())
            async with asyncio.timeout(20), tasks.Group("counting") as group:
                running = group.spawn(found.run(session), "count")
                await done.wait()
                running.cancel()
        return found

    found = asyncio.run(main())
    assert asked == [each.asked for each in answers]
    return found


@contextlib.asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_PAUSE_SECONDS", 0.0)


def test_pods_are_counted_as_they_come_and_go() -> None:
    found = counted(
        Listed(5, "a"),
        Watched(5, event("ADDED", "b", 6), event("MODIFIED", "b", 7), event("DELETED", "a", 8)),
        Watched(8, event("ADDED", "c", 9), event("BOOKMARK", "", 12)),
        Watched(12),
    )
    assert found.alive == 2
    assert {what: found.counts[what] for what in ("created", "changed", "deleted")} == {
        "created": 3, "changed": 1, "deleted": 1,
    }  # fmt: skip


@pytest.mark.parametrize("gone", [Watched(6, lost()), Refused("watch 6", 410)])
def test_after_a_lost_watch_the_pods_are_those_that_are_listed(gone: Answer) -> None:
    found = counted(
        Listed(5, "a", "b"),
        Watched(5, event("ADDED", "c", 6)),
        gone,
        Listed(20, "b", "c", "d"),
        Watched(20, event("DELETED", "d", 21)),
    )
    assert found.alive == 2
    assert (found.counts["created"], found.counts["deleted"]) == (4, 2)
    assert found.counts["watch lost"] == 1


def test_a_connection_that_breaks_is_taken_up_where_it_was() -> None:
    found = counted(Listed(5, "a"), Broken(5, event("ADDED", "b", 6)), Watched(6))
    assert found.alive == 2
    assert found.counts["watch broken"] == 1


def test_a_refused_question_is_asked_again() -> None:
    found = counted(
        Refused("list", 503), Listed(5, "a"), Refused("watch 5", 429), Refused("watch 5", 503),
        Watched(5, event("DELETED", "a", 6)),
    )  # fmt: skip
    assert found.alive == 0
    assert [found.counts[f"watch refused {code}"] for code in (429, 503)] == [1, 2]
