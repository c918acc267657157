"""Watches: exactly the right events, in order, and nobody waits for the slow."""

import asyncio
import random

import msgspec
import pytest
import registry_world as rw
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.aio import virtual
from cluster.api import errors, selectors
from cluster.api.resources import built_in
from cluster.apiserver.watchcache import feed as feeds
from cluster.apiserver.watchcache.cache import Limits

NAMES = ("a", "b", "c")
SELECTIONS = (
    ("", "", ""),
    ("default", "", ""),
    ("other", "", ""),
    ("", "app=x", ""),
    ("", "app!=x", ""),
    ("default", "", "spec.nodeName=n1"),
    ("", "", "spec.nodeName=n2"),
    ("", "app", "spec.nodeName=n1"),
    ("", "", "metadata.name=a"),
    ("", "", "spec.nodeName!=n1"),
)


def run(test, **options):
    async def main():
        async with rw.world(**options) as world:
            await test(world)

    virtual.run(main())


async def following(watch):
    return await anext(watch, None)


def drain(watch):
    found = []
    while (batch := watch.ready()) is not None:
        found += batch.events
    return found


class Model:
    """What a watcher should know, by replaying its events; checks each against the last."""

    def __init__(self, namespace, labels, fields):
        self.row = built_in().get("pods")
        self.namespace = namespace
        self.labels = selectors.parse_labels(labels)
        self.fields = selectors.parse_fields(fields, self.row)
        self.known = {}
        self.revision = 0

    def selected(self, entries):
        found = {}
        for entry in entries:
            obj = msgspec.json.decode(entry.json)
            fits = self.labels.matches(obj["metadata"].get("labels") or {})
            fits = fits and self.fields.matches(selectors.field_values(self.row, obj))
            if fits and self.namespace in ("", obj["metadata"]["namespace"]):
                found[entry.key] = entry.json
        return found

    def take(self, events):
        for event in events:
            if event.type == "BOOKMARK":
                self.revision = max(self.revision, event.revision)
                continue
            obj = msgspec.json.decode(event.json)
            meta = obj["metadata"]
            key = f"/registry/pods/{meta['namespace']}/{meta['name']}"
            assert event.revision > self.revision, "events are in order and come once"
            assert meta["resourceVersion"] == str(event.revision)
            self.revision = event.revision
            if event.type == "DELETED":
                assert key in self.known, "only what is known can go"
                del self.known[key]
            else:
                assert (event.type == "MODIFIED") == (key in self.known)
                self.known[key] = event.json


STEP = st.tuples(
    st.sampled_from(("create", "create", "label", "bind", "delete", "remove", "pause")),
    st.sampled_from(NAMES),
    st.sampled_from(("default", "other")),
    st.sampled_from(("x", "y", "")),
    st.sampled_from(("n1", "n2", "")),
)


@settings(max_examples=60, deadline=None)
@given(
    batches=st.lists(st.lists(STEP, max_size=8), max_size=25),
    seed=st.integers(0, 1000),
)
def test_every_watcher_sees_its_selection_change_by_change(batches, seed):
    run(lambda world: follow(world, batches, random.Random(seed)))


async def follow(world, batches, generator):
    await world.create("namespaces", {"metadata": {"name": "other"}}, "")
    models = [(Model(*selection), selection) for selection in SELECTIONS]
    watches = {}
    for batch in batches:
        for index, (model, (namespace, labels, fields)) in enumerate(models):
            if index not in watches:  # resume where it was, or begin with what there is
                watches[index] = await world.registry.watch(
                    "pods", namespace, labels=labels, fields=fields,
                    revision=str(model.revision),
                )  # fmt: skip
        steps = [operation(*step) for step in batch if step[0] != "pause"]
        await world.registry.write(steps, rw.USER)
        if generator.random() < 0.1:
            world.registry.cache.bookmark()
        for index, (model, _) in enumerate(models):
            if generator.random() < 0.6:
                model.take(drain(watches[index]))
            if generator.random() < 0.2:
                watches.pop(index).close()
    present = (await world.registry.list("pods")).items
    for index, (model, (namespace, labels, fields)) in enumerate(models):
        if index not in watches:
            watches[index] = await world.registry.watch(
                "pods", namespace, labels=labels, fields=fields, revision=str(model.revision)
            )
        model.take(drain(watches[index]))
        assert model.known == model.selected(present)
        watches[index].close()
    assert world.registry.cache.of("pods").watchers == 0


def operation(act, name, namespace, label, node):
    if act == "create":
        obj = rw.pod(name, node)
        if label:
            obj["metadata"]["labels"] = {"app": label}
        return rw.create("pods", obj, namespace)
    if act == "label":
        return rw.patch("pods", name, {"metadata": {"labels": {"app": label or None}}}, namespace)
    if act == "bind":
        body = {"target": {"kind": "Node", "name": node or "n1"}}
        return rw.Operation(
            rw.Verb.CREATE, "pods", namespace, name, "binding", msgspec.json.encode(body)
        )
    options = {"gracePeriodSeconds": 0} if act == "remove" else {}
    return rw.delete("pods", name, namespace, **options)


def test_a_waiting_watcher_is_woken():
    async def test(world):
        watch = await world.registry.watch("configmaps", revision=str(world.registry.revision))
        waiting = world.group.spawn(following(watch), "watch")
        await asyncio.sleep(1)
        assert not waiting.done()
        await world.create("configmaps", rw.config_map("a"))
        batch = await waiting
        assert [(event.type, event.revision) for event in batch.events] == [
            ("ADDED", world.registry.revision)
        ]

    run(test)


def test_closing_ends_a_waiting_watcher():
    async def test(world):
        watch = await world.registry.watch("configmaps", revision="1")
        waiting = world.group.spawn(following(watch), "watch")
        await asyncio.sleep(0)
        watch.close()
        assert await waiting is None

    run(test)


def test_watchers_share_one_encoding():
    async def test(world):
        now = str(world.registry.revision)
        watches = [await world.registry.watch("configmaps", revision=now) for _ in range(50)]
        batch = [rw.create("configmaps", rw.config_map(f"c{n}")) for n in range(10)]
        await world.registry.write(batch, rw.USER)
        encoded = []

        def encoder(events):
            encoded.append(len(events))
            return b"frame"

        assert {watch.ready().frame(encoder) for watch in watches} == {b"frame"}
        assert encoded == [10]

    run(test)


def test_idle_watchers_get_a_bookmark_every_minute():
    async def test(world):
        watch = await world.registry.watch("configmaps", revision=str(world.registry.revision))
        await world.create(
            "services", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 1}]}}
        )
        async with asyncio.timeout(61):
            (event,) = (await anext(watch)).events
        assert (event.type, event.revision) == ("BOOKMARK", world.registry.revision)
        assert watch.ready() is None

    run(test)


def test_a_slow_watcher_falls_out_and_the_rest_goes_on():
    async def test(world):
        now = str(world.registry.revision)
        slow = await world.registry.watch("configmaps", revision=now)
        slow_selected = await world.registry.watch("configmaps", labels="!x", revision=now)
        quick = await world.registry.watch("configmaps", revision=now)
        seen = 0
        for number in range(60):
            await world.create("configmaps", rw.config_map(f"c{number}"))
            seen += len(drain(quick))
        assert seen == 60
        for watch in (slow, slow_selected):
            with pytest.raises(errors.Expired):
                watch.ready()
        with pytest.raises(errors.Expired, match="too old resource version"):
            await world.registry.watch("configmaps", revision=now)

    run(test, limits=Limits(ring=20, backlog=20))


def test_events_of_six_minutes_ago_are_let_go_however_few_there_are():
    async def test(world):
        before = str(world.registry.revision)
        unread = await world.registry.watch("configmaps", revision=before)
        selected = await world.registry.watch("configmaps", labels="!x", revision=before)
        quick = await world.registry.watch("configmaps", revision=before)
        await world.create("configmaps", rw.config_map("a"))
        of_it = str(world.registry.revision)
        assert len(drain(quick)) == 1
        await asyncio.sleep(301)
        assert len(drain(await world.registry.watch("configmaps", revision=before))) >= 1
        await asyncio.sleep(180)
        for watch in (unread, selected):
            with pytest.raises(errors.Expired):
                watch.ready()
        with pytest.raises(errors.Expired, match="too old resource version"):
            await world.registry.watch("configmaps", revision=before)
        # Who has seen the newest of them misses nothing.
        late = await world.registry.watch("configmaps", revision=of_it)
        await world.create("configmaps", rw.config_map("b"))
        for watch in (late, quick):
            changes = [event.type for event in drain(watch) if event.type != "BOOKMARK"]
            assert changes == ["ADDED"]

    run(test)


def test_initial_events_end_with_a_bookmark():
    async def test(world):
        await world.create("configmaps", rw.config_map("a"))
        for options in ({"revision": ""}, {"revision": "0"}, {"revision": "1", "initial": True}):
            watch = await world.registry.watch("configmaps", **options)
            events = drain(watch)
            assert [event.type for event in events] == ["ADDED", "BOOKMARK"]
            assert events[-1].initial_end
            assert events[-1].revision == world.registry.revision

    run(test)


def test_a_crowd_of_watchers_is_woken_seldom():
    async def test(world):
        now = str(world.registry.revision)
        wakes = 0

        async def read():
            nonlocal wakes
            watch = await world.registry.watch("configmaps", revision=now)
            seen = 0
            async for batch in watch:
                wakes += 1
                seen += len(batch.events)
                if seen == 100:
                    return

        readers = [world.group.spawn(read(), "reader") for _ in range(40)]
        await asyncio.sleep(0)
        for number in range(100):
            await world.create("configmaps", rw.config_map(f"c{number}"))
            await asyncio.sleep(0.0001)
        await asyncio.gather(*readers)
        assert wakes < 40 * 10

    run(test)


def test_late_watchers_meet_again_at_block_boundaries():
    log = feeds.Feed(10_000)
    from cluster.apiserver.watchcache.events import Event

    log.append([Event("ADDED", b"x", revision) for revision in range(1, 601)])
    batch, position = log.take(10)
    assert position == feeds.BLOCK
    assert len(batch.events) == feeds.BLOCK - 10
    other, _ = log.take(feeds.BLOCK)
    assert log.take(feeds.BLOCK)[0] is other
