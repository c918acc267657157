import asyncio
from typing import Any

import aiohttp
import pytest
from rest_world import MAPS, PODS, Api, config_map, pod, serving

from cluster.apiserver.rest import watching
from cluster.apiserver.watchcache.events import Event

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"


async def _revision(api: Api, path: str = MAPS) -> str:
    return str((await api.get(path)).json["metadata"]["resourceVersion"])


def _seen(event: Any) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"].get("name", "")


def test_events_come_as_they_happen() -> None:
    async def scenario() -> None:
        async with serving() as api:
            start = await _revision(api)
            async with api.watch(f"{MAPS}?watch=true&resourceVersion={start}") as events:
                assert events.response.headers["Content-Type"] == "application/json"
                made = await api.create(MAPS, config_map("a"))
                added = await events.next()
                assert _seen(added) == ("ADDED", "a")
                assert added["object"] == made.json
                await api.call("PUT", f"{MAPS}/a", config_map("a", x="1"))
                assert _seen(await events.next()) == ("MODIFIED", "a")
                await api.call("DELETE", f"{MAPS}/a")
                assert _seen(await events.next()) == ("DELETED", "a")

    asyncio.run(scenario())


def test_a_watch_without_a_revision_begins_with_what_is_there() -> None:
    async def scenario() -> None:
        async with serving() as api:
            await api.create(MAPS, config_map("a"))
            selected = "labelSelector=n"
            for path in (
                f"{MAPS}?watch=1&{selected}",
                f"{MAPS}?watch=1&resourceVersion=0&{selected}",
            ):
                async with api.watch(path) as events:
                    assert _seen(await events.next()) == ("ADDED", "a")
            async with api.watch("/api/v1/watch/namespaces/default/configmaps/a") as events:
                assert _seen(await events.next()) == ("ADDED", "a")

    asyncio.run(scenario())


def test_initial_events_end_with_a_marked_bookmark() -> None:
    async def scenario() -> None:
        async with serving() as api:
            await api.create(MAPS, config_map("a"))
            async with api.watch(
                f"{MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
                "&allowWatchBookmarks=true&labelSelector=n"
            ) as events:
                assert _seen(await events.next()) == ("ADDED", "a")
                end = await events.next()
                assert (end["type"], end["object"]["kind"]) == ("BOOKMARK", "ConfigMap")
                metadata = end["object"]["metadata"]
                assert metadata["annotations"] == {"k8s.io/initial-events-end": "true"}
                assert metadata["resourceVersion"] == str(api.registry.revision)

    asyncio.run(scenario())


def test_no_initial_events_where_none_are_wanted() -> None:
    async def scenario() -> None:
        async with serving() as api:
            await api.create(MAPS, config_map("a"))
            async with api.watch(
                f"{MAPS}?watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan"
            ) as events:
                await api.create(MAPS, config_map("b"))
                assert _seen(await events.next()) == ("ADDED", "b")

    asyncio.run(scenario())


def test_bookmarks_come_to_those_who_asked() -> None:
    async def scenario() -> None:
        async with serving() as api:
            start = await _revision(api)
            path = f"{MAPS}?watch=1&resourceVersion={start}"
            async with (
                api.watch(path) as plain,
                api.watch(f"{path}&allowWatchBookmarks=1") as marked,
            ):
                await api.create(PODS, pod("other"))
                api.registry.cache.bookmark()
                mark = await marked.next()
                assert mark["type"] == "BOOKMARK"
                assert int(mark["object"]["metadata"]["resourceVersion"]) > int(start)
                await api.create(MAPS, config_map("a"))
                assert _seen(await plain.next()) == ("ADDED", "a")

    asyncio.run(scenario())


def test_a_watch_ends_with_a_bookmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LAST_BOOKMARK_SECONDS", 0.9)

    async def scenario() -> None:
        async with serving() as api:
            start = await _revision(api)
            path = f"{MAPS}?watch=1&resourceVersion={start}&timeoutSeconds=1"
            async with (
                api.watch(path) as plain,
                api.watch(f"{path}&allowWatchBookmarks=1") as marked,
            ):
                await api.create(MAPS, config_map("a"))
                added, mark = await marked.next(), await marked.next()
                assert (added["type"], mark["type"]) == ("ADDED", "BOOKMARK")
                assert mark["object"]["metadata"]["resourceVersion"] == str(api.registry.revision)
                assert (await plain.next())["type"] == "ADDED"
                assert await plain.response.content.read() == b""
                assert await marked.response.content.read() == b""

    asyncio.run(scenario())


def test_selectors_let_objects_enter_and_leave() -> None:
    async def scenario() -> None:
        async with serving() as api:
            start = await _revision(api)
            path = f"{MAPS}?watch=1&resourceVersion={start}&labelSelector=colour%3Dred"
            async with api.watch(path) as events:
                await api.create(MAPS, config_map("a"))
                for colour in ("red", "blue"):
                    patch = {"metadata": {"labels": {"colour": colour}}}
                    merge = "application/merge-patch+json"
                    await api.call("PATCH", f"{MAPS}/a", patch, Content_Type=merge)
                assert _seen(await events.next()) == ("ADDED", "a")
                assert _seen(await events.next()) == ("DELETED", "a")

    asyncio.run(scenario())


def test_too_old_a_revision_is_an_error_event() -> None:
    async def scenario() -> None:
        async with serving() as api:
            cache = api.registry.cache.of("configmaps")
            cache.oldest = api.registry.revision
            async with api.watch(f"{MAPS}?watch=1&resourceVersion=1") as events:
                assert events.response.status == 200
                error = await events.next()
                assert error["type"] == "ERROR"
                assert (error["object"]["code"], error["object"]["reason"]) == (410, "Expired")
                assert await events.ended()

    asyncio.run(scenario())


def test_a_watch_ends_after_its_time() -> None:
    async def scenario() -> None:
        async with serving() as api:
            start = await _revision(api)
            path = f"{MAPS}?watch=1&resourceVersion={start}&timeoutSeconds=1"
            async with api.watch(path) as events:
                assert await events.ended()

    asyncio.run(scenario())


def test_watches_of_tables_and_of_metadata() -> None:
    async def scenario() -> None:
        async with serving() as api:
            start = await _revision(api)
            path = f"{MAPS}?watch=1&resourceVersion={start}&allowWatchBookmarks=1"
            async with (
                api.watch(path, Accept=TABLE) as tables,
                api.watch(path, Accept=PARTIAL) as partials,
            ):
                await api.create(MAPS, config_map("a", x="1"))
                row = (await tables.next())["object"]["rows"][0]
                assert row["cells"][:2] == ["a", 1]
                assert sorted((await partials.next())["object"]) == [
                    "apiVersion",
                    "kind",
                    "metadata",
                ]
                await api.create(PODS, pod("other"))
                api.registry.cache.bookmark()
                assert (await tables.next())["object"]["rows"] == []
                assert (await partials.next())["object"]["kind"] == "PartialObjectMetadata"

    asyncio.run(scenario())


def test_a_client_that_goes_away_leaves_no_watch_behind() -> None:
    async def scenario() -> None:
        async with serving() as api:
            start = await _revision(api)
            cache = api.registry.cache.of("configmaps")
            async with api.watch(f"{MAPS}?watch=1&resourceVersion={start}"):
                assert cache.watchers == 1
            async with asyncio.timeout(10):
                while cache.watchers:
                    await asyncio.sleep(0.01)

    asyncio.run(scenario())


def test_the_server_ends_its_watches_when_it_stops() -> None:
    async def scenario() -> None:
        async with serving() as api:
            start = await _revision(api)
            async with api.watch(f"{MAPS}?watch=1&resourceVersion={start}") as events:
                async with asyncio.timeout(1.5):
                    await api.stop()
                    assert await events.ended()
            assert api.registry.cache.of("configmaps").watchers == 0

    asyncio.run(scenario())


def test_watchers_share_what_was_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = []
    encode = watching._event

    def counted(wish: watching.Wish, event: Event, now: float) -> bytes:
        encoded.append(event.type)
        return encode(wish, event, now)

    monkeypatch.setattr(watching, "_event", counted)

    async def scenario() -> None:
        async with serving() as api:
            start = await _revision(api)
            path = f"{MAPS}?watch=1&resourceVersion={start}"
            async with api.watch(path) as one, api.watch(path) as two:
                await api.create(MAPS, config_map("a"))
                assert await one.next() == await two.next()
        assert encoded == ["ADDED"]

    asyncio.run(scenario())


def test_a_fault_in_the_middle_of_an_answer_cuts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(watching, "_event", broken)

    async def scenario() -> None:
        async with serving() as api:
            start = await _revision(api)
            async with api.watch(f"{MAPS}?watch=1&resourceVersion={start}") as events:
                await api.create(MAPS, config_map("a"))
                with pytest.raises(aiohttp.ClientError):
                    await events.next()
            assert (await api.get(f"{MAPS}/a")).status == 200

    asyncio.run(scenario())
