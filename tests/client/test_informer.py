"""Informers and reflectors: what handlers see through lists, watches, ends, and expiries."""

import asyncio
import itertools
import random

import pytest
from fake_api import FakeApi, pod

from cluster.aio import tasks, virtual
from cluster.api import errors, objects
from cluster.client import informer
from cluster.client.client import Client


def _follow(scenario, **options):
    """Run `scenario(api, informer, seen)` with an informer over pods; what it returns."""

    async def main():
        api = FakeApi()
        async with Client(api) as client, tasks.Group("test") as group:
            pods = informer.Informer(client, "pods", **options)
            seen = []
            pods.on_change(lambda change: seen.append(_shown(change)))
            result = await scenario(api, pods, seen, group)
            group.cancel()
        return result

    return virtual.run(main())


def _shown(change):
    kind = "changed" if change.old and change.new else "added" if change.new else "deleted"
    return kind, change.key, change.revision, change.final_unknown


async def _started(api, pods, group):
    group.spawn(pods.run(), "informer")
    async with asyncio.timeout(60):
        await pods.synced()


def test_it_lists_then_watches():
    async def scenario(api, pods, seen, group):
        api.put("pods", pod("a"))
        await _started(api, pods, group)
        assert seen == [("added", "default/a", 1, False)]
        api.put("pods", pod("b"))
        api.put("pods", pod("a", spec={"x": 1}))
        api.remove("pods", "default", "b")
        await asyncio.sleep(0.1)
        assert seen[1:] == [
            ("added", "default/b", 2, False),
            ("changed", "default/a", 3, False),
            ("deleted", "default/b", 4, False),
        ]
        assert [objects.name(obj) for obj in pods.store.list()] == ["a"]
        assert pods.store.get("default/a")["spec"] == {"x": 1}
        assert pods.revision == 4

    _follow(scenario)


def test_it_keeps_no_managed_fields():
    async def scenario(api, pods, seen, group):
        owned = pod("a")
        owned["metadata"]["managedFields"] = [{"manager": "x"}]
        api.put("pods", owned)
        await _started(api, pods, group)
        owned["metadata"]["name"] = "b"
        api.put("pods", owned)
        await asyncio.sleep(0.1)
        assert [objects.name(obj) for obj in pods.store.list()] == ["a", "b"]
        assert not any("managedFields" in objects.meta(obj) for obj in pods.store.list())

    _follow(scenario)


def test_a_watch_that_ends_is_resumed_from_the_last_revision_without_a_list():
    async def scenario(api, pods, seen, group):
        api.revision = 10
        api.oldest = 10
        await _started(api, pods, group)
        api.put("pods", pod("a"))
        await asyncio.sleep(10)
        api.end_watches()
        api.put("pods", pod("b"))
        await asyncio.sleep(10)
        assert [entry[:2] for entry in seen] == [("added", "default/a"), ("added", "default/b")]
        assert api.calls == [("list", "pods"), ("watch", "pods", 10), ("watch", "pods", 11)]

    _follow(scenario)


def test_bookmarks_move_the_revision_on_and_reach_no_handler():
    async def scenario(api, pods, seen, group):
        api.put("pods", pod("a"))
        await _started(api, pods, group)
        await asyncio.sleep(5)
        api.bookmark("pods")
        api.bookmark("pods")
        await asyncio.sleep(5)
        assert pods.revision == 3
        api.compact()
        api.end_watches()
        await asyncio.sleep(5)
        assert api.calls[-1] == ("watch", "pods", 3)
        assert len(seen) == 1

    _follow(scenario)


def test_an_expired_watch_lists_again_and_tells_only_the_difference():
    async def scenario(api, pods, seen, group):
        for name in ("stays", "goes", "changes"):
            api.put("pods", pod(name))
        await _started(api, pods, group)
        await asyncio.sleep(5)
        seen.clear()
        # What happens now is lost to the watch.
        api.failures = [errors.ServiceUnavailable("away")] * 3
        api.end_watches()
        api.remove("pods", "default", "goes")
        api.put("pods", pod("changes", spec={"x": 1}))
        api.put("pods", pod("new"))
        api.history.clear()
        api.compact()
        await asyncio.sleep(30)
        assert seen == [
            ("deleted", "default/goes", 6, True),
            ("changed", "default/changes", 5, False),
            ("added", "default/new", 6, False),
        ]

    _follow(scenario)


def test_an_object_made_again_between_lists_is_told_as_deleted_and_added():
    async def scenario(api, pods, seen, group):
        api.put("pods", pod("a", uid="one"))
        await _started(api, pods, group)
        api.put("pods", pod("a", uid="two"))
        await asyncio.sleep(1)
        assert seen[1:] == [("deleted", "default/a", 2, True), ("added", "default/a", 2, False)]

    _follow(scenario)


def test_an_api_that_is_away_is_tried_again_later_and_later():
    async def scenario(api, pods, seen, group):
        loop = asyncio.get_running_loop()
        times = []
        listed = api.list

        async def failing(*args, **kwargs):
            times.append(loop.time())
            if len(times) < 8:
                raise errors.ServiceUnavailable("away")
            return await listed(*args, **kwargs)

        api.list = failing
        await _started(api, pods, group)
        gaps = [after - before for before, after in itertools.pairwise(times)]
        bounds = [(0.1, 0.2), (0.2, 0.4), (0.4, 0.8), (0.8, 1.6), (1.6, 3.2), (3.2, 6.4), (5, 10)]
        assert all(low <= gap <= high for gap, (low, high) in zip(gaps, bounds, strict=True))

    _follow(scenario, generator=random.Random(3))


def test_watches_are_rotated_within_ten_minutes():
    async def scenario(api, pods, seen, group):
        api.put("pods", pod("a"))
        await _started(api, pods, group)
        await asyncio.sleep(3600)
        watches = [call for call in api.calls if call[0] == "watch"]
        assert 6 <= len(watches) <= 12
        assert [call for call in api.calls if call[0] == "list"] == [("list", "pods")]

    _follow(scenario)


def test_a_server_that_ends_watches_at_once_is_not_asked_in_a_circle():
    async def scenario(api, pods, seen, group):
        async def watch(*args, **kwargs):
            api.calls.append("watch")
            return
            yield

        api.put("pods", pod("a"))
        api.watch = watch
        await _started(api, pods, group)
        await asyncio.sleep(60)
        assert 5 < api.calls.count("watch") < 30

    _follow(scenario)


def test_lists_that_no_watch_can_follow_are_asked_for_less_and_less():
    async def scenario(api, pods, seen, group):
        await _started(api, pods, group)
        api.put("pods", pod("a"))
        api.oldest = 10**9
        api.end_watches()
        await asyncio.sleep(60)
        return len([call for call in api.calls if call[0] == "list"])

    assert 5 <= _follow(scenario) <= 30


def test_a_late_handler_hears_of_what_is_there():
    async def scenario(api, pods, seen, group):
        api.put("pods", pod("a"))
        await _started(api, pods, group)
        late = []
        pods.on_change(lambda change: late.append(_shown(change)))
        assert late == [("added", "default/a", 1, False)]
        api.put("pods", pod("b"))
        await asyncio.sleep(1)
        assert late == seen

    _follow(scenario)


def test_a_handler_that_raises_ends_the_informer():
    async def scenario(api, pods, seen, group):
        def broken(change):
            raise ZeroDivisionError("handler")

        pods.on_change(broken)
        api.put("pods", pod("a"))
        await pods.run()

    with pytest.raises(ZeroDivisionError, match="handler"):
        _follow(scenario)


def test_the_store_is_indexed_and_follows_changes():
    def by_node(obj):
        node = objects.spec(obj).get("nodeName")
        return [node] if node else []

    async def scenario(api, pods, seen, group):
        api.put("pods", pod("a", spec={"nodeName": "n1"}))
        api.put("pods", pod("b", spec={"nodeName": "n1"}))
        api.put("pods", pod("c"))
        await _started(api, pods, group)
        names = lambda value: [objects.name(o) for o in pods.store.by_index("node", value)]  # noqa: E731
        assert names("n1") == ["a", "b"]
        api.put("pods", pod("a", spec={"nodeName": "n2"}))
        api.remove("pods", "default", "b")
        api.put("pods", pod("c", spec={"nodeName": "n2"}))
        await asyncio.sleep(1)
        assert names("n1") == []
        assert names("n2") == ["a", "c"]
        assert pods.store.index_keys("node", "n2") == ["default/a", "default/c"]
        pods.store.add_index("namespace", lambda obj: [objects.namespace(obj)])
        assert len(pods.store.by_index("namespace", "default")) == 2
        with pytest.raises(ValueError, match="an index named node exists"):
            pods.store.add_index("node", lambda obj: [])
        with pytest.raises(KeyError):
            pods.store.by_index("unknown", "x")

    _follow(scenario, indexers={"node": by_node})


def test_a_shared_informer_lists_and_decodes_once_for_all_who_ask():
    async def main():
        api = FakeApi()
        api.put("pods", pod("a"))
        async with Client(api) as client, tasks.Group("test") as group:
            informers = informer.Informers(client, random.Random(1))
            first = informers.get("pods")
            second = informers.get("pods", indexers={"x": _nothing})
            other = informers.get("pods", namespace="default")
            informers.start(group)
            await informers.synced()
            late = informers.get("nodes")
            await late.synced()
            assert first is second
            assert other is not first
            assert first.store.by_index("x", "y") == []
            assert api.calls.count(("list", "pods")) == 2
            assert api.calls.count(("list", "nodes")) == 1
            assert informers.get("nodes") is late
            assert len(group) == 3
            group.cancel()

    virtual.run(main())


def _nothing(obj):
    return []
