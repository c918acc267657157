"""A small cluster for controller tests: a real registry, the controller manager, a fake kubelet.

All of it on virtual time. The fake binds pods to its nodes in turn, makes them ready, and ends
those that are deleted, unless their node is silent. `running(crash_every=seed)` makes the manager's
life rough (see roughness). At the end of every test the world is left to come to rest, and nothing
may be left over.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import roughness

from cluster.aio import clock, tasks
from cluster.api import errors, identity, objects, resources, timestamps
from cluster.api.operations import STRATEGIC_PATCH
from cluster.apiserver import direct, registry
from cluster.client import client, informer
from cluster.controllers import component, podstate
from cluster.controllers.config import Config
from cluster.controllers.daemonset import podmaking
from cluster.storage import memory

EPOCH = 1_800_000_000.0


REST = 120.0
"""Seconds (virtual) that a world has at the end to put everything in order."""


class World:
    """`crash_every`: a seed; the manager dies at moments drawn from it, and its way to the API is
    rough. None: it lives, and the way is smooth.
    """

    def __init__(
        self,
        reg: registry.Registry,
        wall: clock.Clock,
        config: Config,
        crash_every: int | None = None,
        lives: tuple[float, float] = roughness.LIVES,
    ) -> None:
        self.registry = reg
        self.clock = wall
        self.config = config
        self.client = client.Client(_transport(reg, "admin"), manager="test")
        self.kubelet = FakeKubelet(reg, wall)
        self._random = random.Random(f"{crash_every}/roughness")
        self._seed = crash_every
        self._spans = lives
        self.group: tasks.Group
        """For what a test has run beside its story; ends with the world."""
        self._way = roughness.RoughTransport(_transport(reg, "controllers"), self._random)
        self._way.smooth = crash_every is None
        self._lives = 0
        self.mortal = roughness.Mortal(self._born)

    @property
    def manager(self) -> component.ControllerManager:
        """The manager in its present life."""
        return self.mortal.manager

    @property
    def manager_client(self) -> client.Client:
        """Its client."""
        return self.mortal.client

    def _born(self) -> tuple[client.Client, component.ControllerManager]:
        self._lives += 1
        transport = (
            self._way if self._seed is not None else _transport(self.registry, "controllers")
        )
        made = client.Client(transport, manager="kcm")
        seed = "kcm" if self._lives == 1 else f"kcm/{self._lives}"
        return made, component.ControllerManager(
            self.config, client=made, clock=self.clock, random=random.Random(seed)
        )

    async def restart_manager(self) -> None:
        """Kill the manager now; its next life is ready when this returns."""
        await self.mortal.crash()

    async def live(self, group: tasks.Group) -> None:
        """Run the manager, and what ends it, in `group`; ready when this returns."""
        group.spawn(self.mortal.run(), "manager")
        async with asyncio.timeout(30):
            await self.manager.ready.wait()
        if self._seed is not None:
            self._torment = group.spawn(self.mortal.torment(self._random, self._spans), "torment")

    async def settle(self) -> None:
        """Let everything come to rest; AssertionError where something is left over."""
        if self._seed is not None:
            self._torment.cancel()
            self._way.smooth = True
            await self.restart_manager()
        if not self.config.enables("garbagecollector"):
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + REST
        while left := await self._left_over():
            assert loop.time() < deadline, "\n".join(left)
            await asyncio.sleep(1)

    async def _left_over(self) -> list[str]:
        kept = {row.id: await self.all(row.id) for row in self.registry.table if _is_listed(row)}
        uids = {objects.uid(obj) for found in kept.values() for obj in found}
        spaces = {objects.name(space) for space in kept["namespaces"]}
        told = []
        indices: dict[tuple[str, str], str] = {}
        daemons: dict[tuple[str, str], str] = {}
        for resource, found in kept.items():
            for obj in found:
                name, owner = f"{resource} {objects.key(obj)}", objects.controller_of(obj)
                if objects.namespace(obj) and objects.namespace(obj) not in spaces:
                    told.append(f"{name} is in a namespace that is gone")
                if owner is None or objects.deleting(obj):
                    continue
                if owner["uid"] not in uids:
                    told.append(f"{name} is left over: its {owner['kind']} is gone")
                if owner["kind"] == "DaemonSet" and resource == "pods" and podstate.is_active(obj):
                    node = podmaking.target(obj)
                    twin = daemons.setdefault((owner["uid"], node), name)
                    if twin != name:
                        told.append(f"{name} and {twin} are both on {node}")
                index = objects.annotations(obj).get("batch.kubernetes.io/job-completion-index")
                if resource == "pods" and index is not None and podstate.is_active(obj):
                    twin = indices.setdefault((owner["uid"], index), name)
                    if twin != name:
                        told.append(f"{name} and {twin} have the same completion index")
        return told

    async def create(self, resource: str, obj: dict[str, Any]) -> dict[str, Any]:
        return await self.client.create(resource, obj)

    async def get(self, resource: str, name: str, namespace: str = "default") -> dict[str, Any]:
        return await self.client.get(resource, name, namespace)

    async def all(self, resource: str, namespace: str = "", **options: Any) -> list[dict[str, Any]]:
        return (await self.client.list(resource, namespace, **options)).items

    async def exists(self, resource: str, name: str, namespace: str = "default") -> bool:
        try:
            await self.client.get(resource, name, namespace)
        except errors.NotFound:
            return False
        return True

    async def events(self, reason: str) -> list[str]:
        return [e["message"] for e in await self.all("events") if e.get("reason") == reason]

    async def until(
        self, holds: Callable[[], Any], within: float = 60.0, every: float = 0.05
    ) -> Any:
        """Wait on virtual time until the coroutine function `holds` gives something true."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while True:
            found = await holds()
            if found:
                return found
            assert loop.time() < deadline, f"not within {within} s: {holds.__qualname__}"
            await asyncio.sleep(every)


class FakeKubelet:
    """Binds, runs and ends pods. `ready_after` seconds; None never. `silent` nodes do nothing."""

    def __init__(self, reg: registry.Registry, wall: clock.Clock) -> None:
        self.client = client.Client(_transport(reg, "kubelet"), manager="kubelet")
        self.clock = wall
        self.nodes: list[str] = []
        self.silent: set[str] = set()
        self.ready_after: Callable[[dict[str, Any]], float | None] = lambda pod: 1.0
        self.end_after = 0.2
        self.outcome: Callable[[dict[str, Any]], tuple[float, int] | None] = lambda pod: None
        """How long the pod's containers run once they are ready, and with which code they end."""
        self.choose: Callable[[dict[str, Any], list[str]], str | None] = self._in_turn
        """Which of the nodes that are not silent a pod is bound to; None: none of them, ever."""
        self._turn = 0
        self._addresses = 0
        self._group: tasks.Group | None = None
        self._busy: set[tuple[str, str]] = set()

    async def run(self) -> None:
        pods = informer.Informer(self.client, "pods")
        pods.on_change(self._changed)
        async with tasks.Group("kubelet") as group:
            self._group = group
            group.spawn(pods.run(), "pods")
            group.spawn(self._heartbeats(), "heartbeats")

    async def add_node(self, name: str, **labels: str) -> None:
        self.nodes.append(name)
        await self.client.create(
            "nodes",
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name} | labels},
            },
        )
        await self._post_status(name, "True")
        await self.client.create(
            "leases.coordination.k8s.io",
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": name, "namespace": "kube-node-lease"},
                "spec": {"holderIdentity": name, "leaseDurationSeconds": 40},
            },
        )

    async def _post_status(self, name: str, ready: str) -> None:
        now = timestamps.encode(self.clock.now())
        condition = {
            "type": "Ready",
            "status": ready,
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
            "reason": "KubeletReady",
        }
        await self.client.patch(
            "nodes", name, {"status": {"conditions": [condition]}}, subresource="status"
        )

    async def back(self, name: str) -> None:
        self.silent.discard(name)
        await self._post_status(name, "True")

    async def _heartbeats(self) -> None:
        while True:
            await asyncio.sleep(10)
            now = timestamps.encode_micro(self.clock.now())
            for name in self.nodes:
                if name not in self.silent:
                    patch = {"spec": {"renewTime": now}}
                    with contextlib.suppress(errors.NotFound):
                        await self.client.patch(
                            "leases.coordination.k8s.io", name, patch, "kube-node-lease"
                        )

    def _changed(self, change: informer.Change) -> None:
        pod = change.new
        if pod is None or self._group is None:
            return
        uid, node = objects.uid(pod), objects.spec(pod).get("nodeName")
        if objects.deleting(pod):
            self._once("end", uid, self._end(pod))
        elif not node:
            self._once("bind", uid, self._bind(pod))
        else:
            self._once("start", uid, self._start(pod))

    def _once(self, what: str, uid: str, job: Any) -> None:
        if (what, uid) in self._busy or self._group is None:
            job.close()
            return
        self._busy.add((what, uid))
        self._group.spawn(job, f"{what}-{uid}")

    def _in_turn(self, _pod: dict[str, Any], alive: list[str]) -> str:
        self._turn += 1
        return alive[(self._turn - 1) % len(alive)]

    async def _bind(self, pod: dict[str, Any]) -> None:
        alive = [name for name in self.nodes if name not in self.silent]
        if not alive:
            return
        node = self.choose(pod, alive)
        if node is None:
            return
        with contextlib.suppress(errors.StatusError):
            await self.client.bind(
                objects.namespace(pod), objects.name(pod), objects.uid(pod), node
            )

    async def _start(self, pod: dict[str, Any]) -> None:
        delay = self.ready_after(pod)
        if delay is None or objects.spec(pod)["nodeName"] in self.silent:
            return
        await asyncio.sleep(delay)
        self._addresses += 1
        now = timestamps.encode(self.clock.now())
        address = f"10.244.{self._addresses // 250}.{self._addresses % 250 + 1}"
        status = {
            "phase": "Running",
            "startTime": now,
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now}],
        }
        await self._report(pod, status)
        outcome = self.outcome(pod)
        if outcome is not None:
            await asyncio.sleep(outcome[0])
            await self._report(pod, self._ended(pod, outcome[1]))

    async def _report(self, pod: dict[str, Any], status: dict[str, Any]) -> None:
        with contextlib.suppress(errors.StatusError):
            await self.client.patch(
                "pods",
                objects.name(pod),
                {"metadata": {"uid": objects.uid(pod)}, "status": status},
                objects.namespace(pod),
                subresource="status",
                patch_type=STRATEGIC_PATCH,
            )

    def _ended(self, pod: dict[str, Any], code: int) -> dict[str, Any]:
        """The status of a pod whose containers ended so; an end is never taken back."""
        now = timestamps.encode(self.clock.now())
        ended = {"exitCode": code, "reason": "Error" if code else "Completed", "finishedAt": now}
        return {
            "phase": "Failed" if code else "Succeeded",
            "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": now}],
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "",
                    "ready": False,
                    "restartCount": 0,
                    "state": {"terminated": ended},
                }
                for container in objects.spec(pod)["containers"]
            ],
        }

    async def _end(self, pod: dict[str, Any]) -> None:
        while objects.spec(pod).get("nodeName") in self.silent:
            await asyncio.sleep(5)
        await asyncio.sleep(self.end_after)
        if objects.meta(pod).get("finalizers"):
            await self._report_end(pod)
        with contextlib.suppress(errors.StatusError):
            await self.client.delete(
                "pods", objects.name(pod), objects.namespace(pod), uid=objects.uid(pod), grace=0
            )

    async def _report_end(self, pod: dict[str, Any]) -> None:
        """As a kubelet does: a pod that is deleted comes to its last phase before it goes."""
        with contextlib.suppress(errors.StatusError):
            fresh = await self.client.get("pods", objects.name(pod), objects.namespace(pod))
            if not podstate.is_finished(fresh):
                await self._report(pod, self._ended(pod, 137))


def _is_listed(row: resources.Resource) -> bool:
    return "list" in row.verbs and not row.stored_as and not row.remote


def _transport(reg: registry.Registry, name: str) -> direct.DirectTransport:
    return direct.DirectTransport(reg, identity.User(name, (identity.MASTERS,)))


@contextlib.asynccontextmanager
async def running(
    config: Config | None = None,
    nodes: int = 2,
    crash_every: int | None = None,
    lives: tuple[float, float] = roughness.LIVES,
) -> AsyncIterator[World]:
    """A world with a manager that runs and `nodes` nodes that are ready. See World.

    `lives`: seconds that a manager lives, at least and at most; longer ones for what counts time
    in memory.
    """
    store = memory.MemoryStorage()
    await store.open()
    wall = clock.LoopClock(asyncio.get_running_loop(), EPOCH)
    reg = registry.Registry(
        resources.built_in(), store, clock=wall, random=random.Random("registry")
    )
    await reg.open()
    world = World(reg, wall, config or Config(), crash_every, lives)
    group = world.group = tasks.Group("world")
    async with world.client, world.kubelet.client, group:
        group.spawn(world.kubelet.run(), "kubelet")
        for number in range(nodes):
            await world.kubelet.add_node(f"n{number}")
        await world.live(group)
        yield world
        await world.settle()
        group.cancel()
    await reg.close()
    await store.close()


def deployment(name: str = "web", replicas: int = 3, image: str = "nginx:1", **spec: Any) -> Any:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [
                        {
                            "name": "c",
                            "image": image,
                            "ports": [{"name": "http", "containerPort": 8080}],
                        }
                    ]
                },
            },
            **spec,
        },
    }
