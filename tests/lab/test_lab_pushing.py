"""How events reach the lab's components: in order, decoded once, and to nobody's harm."""

import asyncio
import random

import pytest
import scenarios

from cluster.aio import clock, tasks, virtual
from cluster.api import errors, identity, objects, resources
from cluster.apiserver.registry import Registry
from cluster.client import decoding
from cluster.client.client import Client
from cluster.lab.lab import Lab
from cluster.lab.wire import ApiSocket
from cluster.storage.memory import MemoryStorage

_ADMIN = identity.User("admin", (identity.MASTERS,))


def _map(name, **data):
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


class World:
    """An API server and clients of it."""

    def __init__(self, registry):
        self.registry = registry
        self.socket = ApiSocket()
        self.socket.up(registry)
        self.group = None

    def client(self, seconds=0.001):
        return Client(self.socket.transport(_ADMIN, lambda: seconds))

    def follow(self, take, *, seconds=0.001, revision=None):
        since = self.registry.revision if revision is None else revision
        client = self.client(seconds)
        return self.group.spawn(client.follow("configmaps", revision=since, take=take), "follow")

    def failing(self, client, take):
        """What following ended with, once it has."""
        found = []

        async def follow():
            try:
                await client.follow("configmaps", revision=self.registry.revision, take=take)
            except (KeyError, errors.StatusError) as error:
                found.append(error)

        self.group.spawn(follow(), "failing")
        return found


def _run(scenario):
    async def main():
        registry = Registry(
            resources.built_in(),
            MemoryStorage(),
            clock=clock.LoopClock(asyncio.get_running_loop(), 0.0),
            random=random.Random(1),
        )
        await registry.open()
        world = World(registry)
        async with tasks.Group("test") as world.group, world.client() as client:
            try:
                await scenario(world, client)
            finally:
                world.group.cancel()
        await registry.close()

    virtual.run(main())


def _seen(events):
    return [(event.type, objects.name(event.object)) for event in events]


def test_everybody_is_given_the_same_object_without_its_managers():
    async def scenario(world, client):
        one, other = [], []
        world.follow(one.extend)
        world.follow(other.extend)
        await asyncio.sleep(1)
        made = await client.create("configmaps", _map("a", x="1"))
        assert one == []
        await asyncio.sleep(1)
        assert _seen(one) == _seen(other) == [("ADDED", "a")]
        assert one[0].object is other[0].object
        assert made["metadata"].pop("managedFields")
        assert one[0].object == made
        assert one[0].revision == objects.revision(made)

    _run(scenario)


def test_events_come_in_order_after_their_delay_and_those_on_the_way_together():
    async def scenario(world, client):
        loop = asyncio.get_running_loop()
        batches = []
        world.follow(lambda events: batches.append((loop.time(), _seen(events))), seconds=0.5)
        await asyncio.sleep(1)
        await client.create("configmaps", _map("a"))
        made = loop.time()
        await asyncio.sleep(0.2)
        await client.create("configmaps", _map("b"))
        await client.delete("configmaps", "a", "default")
        await asyncio.sleep(2)
        await client.delete("configmaps", "b", "default")
        await asyncio.sleep(2)
        assert [found for _, found in batches] == [
            [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")],
            [("DELETED", "b")],
        ]
        assert batches[0][0] == pytest.approx(made + 0.5)

    _run(scenario)


def test_a_batch_is_the_last_timer_until_there_is_more():
    async def scenario(world, client):
        drawn = []

        def delay():
            drawn.append(asyncio.get_running_loop().time())
            return 0.25

        follower = Client(world.socket.transport(_ADMIN, delay))
        seen = []
        since = world.registry.revision
        following = follower.follow("configmaps", revision=since, take=seen.extend)
        world.group.spawn(following, "follow")
        await asyncio.sleep(1)
        drawn.clear()
        await client.create("configmaps", _map("a"))
        await asyncio.sleep(1)
        assert _seen(seen) == [("ADDED", "a")]
        assert len(drawn) == 1
        await client.create("namespaces", {"metadata": {"name": "other"}})
        world.registry.cache.bookmark()
        await asyncio.sleep(1)
        assert [event.type for event in seen] == ["ADDED", "BOOKMARK"]
        assert len(drawn) == 2

    _run(scenario)


def test_what_was_missed_comes_first_however_much_it_is():
    async def scenario(world, client):
        since = world.registry.revision
        names = [f"m{number:03}" for number in range(600)]
        await asyncio.gather(*(client.create("configmaps", _map(name)) for name in names))
        seen = []
        world.follow(seen.extend, revision=since)
        await asyncio.sleep(1)
        assert sorted(objects.name(event.object) for event in seen) == names

    _run(scenario)


def test_what_a_follower_raises_ends_its_following_alone():
    async def scenario(world, client):
        def broken(events):
            raise KeyError("mine")

        seen = []
        ended = world.failing(client, broken)
        world.follow(seen.extend)
        await asyncio.sleep(1)
        await client.create("configmaps", _map("a"))
        await asyncio.sleep(1)
        assert repr(ended) == "[KeyError('mine')]"
        await client.create("configmaps", _map("b"))
        await asyncio.sleep(1)
        assert _seen(seen) == [("ADDED", "a"), ("ADDED", "b")]
        assert world.registry.cache.of("configmaps").watchers == 1

    _run(scenario)


def test_following_ends_with_the_api_server_and_from_too_long_ago():
    async def scenario(world, client):
        ended = world.failing(client, lambda _: None)
        await asyncio.sleep(1)
        world.socket.down()
        await asyncio.sleep(1)
        assert [type(error) for error in ended] == [errors.ServiceUnavailable]
        assert world.registry.cache.of("configmaps").watchers == 0
        with pytest.raises(errors.ServiceUnavailable):
            await client.follow("configmaps", revision=1, take=lambda _: None)
        world.socket.up(world.registry)
        world.registry.cache.of("configmaps").oldest = world.registry.revision
        with pytest.raises(errors.Expired):
            await client.follow("configmaps", revision=1, take=lambda _: None)

    _run(scenario)


class Frozen(dict):
    """A dict that whoever changes it hears from."""

    def _no(self, *_args, **_named):
        raise TypeError("an object that is shared was changed")

    __setitem__ = __delitem__ = __ior__ = update = popitem = clear = setdefault = _no

    def pop(self, key, *default):
        if key in self or not default:
            self._no()
        return default[0]

    def copy(self):
        return dict(self)

    def __deepcopy__(self, memo):
        return _thawed(self)


class FrozenList(list):
    """A list of that kind."""

    def _no(self, *_args, **_named):
        raise TypeError("a list that is shared was changed")

    __setitem__ = __delitem__ = __iadd__ = append = extend = insert = pop = remove = _no
    clear = sort = reverse = _no

    def __deepcopy__(self, memo):
        return _thawed(self)


def _frozen(value):
    if isinstance(value, dict):
        return Frozen((key, _frozen(inner)) for key, inner in value.items())
    return FrozenList(map(_frozen, value)) if isinstance(value, list) else value


def _thawed(value):
    if isinstance(value, dict):
        return {key: _thawed(inner) for key, inner in value.items()}
    return list(map(_thawed, value)) if isinstance(value, list) else value


def test_no_component_changes_what_it_shares_with_others(monkeypatch):
    lean = decoding.lean
    decoded = []

    def freezing(json):
        obj = lean(json)
        decoded.append(obj["kind"])
        return _frozen(obj)

    job = {"metadata": {"name": "once"}, "spec": {"template": _template("Never")}}
    sets = {"selector": {"matchLabels": {"a": "b"}}, "template": _template("Always")}
    more = [
        {"apiVersion": "batch/v1", "kind": "Job"} | job,
        {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "all"}, "spec": sets},
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "db"},
            "spec": {**sets, "serviceName": "db", "replicas": 2},
        },
    ]

    async def scenario(cluster):
        monkeypatch.setattr(decoding, "lean", freezing)
        await cluster.apply(more)
        await scenarios.node_dies(cluster)
        await cluster.revive_node("node-2")
        await cluster.client.delete("deployments.apps", "web", "default")
        await cluster.until(lambda: not cluster.pods(app="web"), within=300)

    Lab(seed=5, nodes=3).run(scenario)
    assert {"Pod", "Job", "DaemonSet", "StatefulSet", "Deployment", "Node"} <= set(decoded)


def _template(policy):
    container = {"name": "c", "image": "busybox", "command": ["sleep", "30"]}
    spec = {"restartPolicy": policy, "containers": [container]}
    return {"metadata": {"labels": {"a": "b"}}, "spec": spec}
