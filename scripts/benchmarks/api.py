"""What the rules cost in process: no sockets, no disk, and the default admission plugins."""

import asyncio
import contextlib
import gc
import itertools
import json
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from benchmarks import documents
from benchmarks.figures import Figure, Outcome
from cluster.aio import clock, tasks
from cluster.api import cel, errors, identity, resources, rules
from cluster.api.cel import structural
from cluster.api.operations import APPLY_PATCH, Operation, Verb
from cluster.api.protobuf import decoder, encoder
from cluster.apiserver.admission import defaults
from cluster.apiserver.admission.plugin import Act, Request
from cluster.apiserver.authz import modes
from cluster.apiserver.extensions.controller import DEFINITIONS, Extensions
from cluster.apiserver.plan import Call
from cluster.apiserver.registry import Registry
from cluster.storage.memory import MemoryStorage

_USER = identity.User("user", ("system:authenticated",))
_ADMIN = identity.User("admin", ("system:masters", "system:authenticated"))
_GROUP = "rbac.authorization.k8s.io"
_BINDING = {
    "metadata": {"name": "user-edits"},
    "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": "edit"},
    "subjects": [{"apiGroup": _GROUP, "kind": "User", "name": "user"}],
}
_ROUNDS = 7
_TIMES = 400
_WIDGETS = "widgets.bench.example.com"
_RULE = "self.replicas <= self.most && (!has(self.tags) || self.tags.all(t, t.size() < 20))"
_SPEC = {
    "type": "object",
    "properties": {
        "replicas": {"type": "integer", "minimum": 0, "default": 1},
        "most": {"type": "integer"},
        "tags": {"type": "array", "maxItems": 10, "items": {"type": "string", "maxLength": 30}},
    },
    "x-kubernetes-validations": [{"rule": _RULE}],
}
_WIDGET = {"replicas": 2, "most": 5, "tags": ["red", "green", "blue"]}


def measure() -> Iterator[Outcome]:
    """The rules for a pod, applying it, its protobuf form, a custom resource, a CEL rule."""
    yield from asyncio.run(_measured())


async def _measured() -> list[Outcome]:
    draw = random.Random(1)
    chain = defaults.chain()
    registry = Registry(
        resources.built_in(),
        MemoryStorage(),
        clock=clock.SystemClock(),
        random=draw,
        admission=chain,
        authorization=(modes.NODE, modes.RBAC),
    )
    await registry.open()
    extensions = Extensions(registry, draw)
    extensions.open()
    async with tasks.Group("bench") as group:
        group.spawn(extensions.run(), "extensions")
        with contextlib.suppress(errors.AlreadyExists):
            await _create(registry, "serviceaccounts", {"metadata": {"name": "default"}})
        await _create(registry, f"rolebindings.{_GROUP}", _BINDING)
        found = [
            Figure("api: validate, default and admit a pod", _rules(registry), "µs", 150, True),
            Figure("api: apply a new pod", await _applied(registry, anew=True), "µs", 500, True),
            Figure("api: apply a pod again", await _applied(registry, anew=False), "µs", 500, True),
            Figure("api: create a pod", await _created(registry, "pods", documents.pod), "µs"),
            Figure("api: protobuf to pod", _protobuf(), "µs"),
        ]
        await _define(registry)
        seconds = await _created(registry, _WIDGETS, _widget)
        found.append(Figure("api: create a custom object", seconds, "µs", note="with a CEL rule"))
        found.append(Figure("api: CEL rule over three fields", _rule(), "µs"))
        group.cancel()
    await registry.close()
    return found


def _best(work: Callable[[], object]) -> float:
    """Microseconds of the processor for a call: the best round, for others use this machine too."""
    rounds = []
    gc.collect()
    for _ in range(_ROUNDS):
        begin = time.process_time()
        for _ in range(_TIMES):
            work()
        rounds.append(time.process_time() - begin)
    return min(rounds) / _TIMES * 1e6


async def _best_of(work: Callable[[], Awaitable[object]]) -> float:
    rounds = []
    gc.collect()
    for _ in range(_ROUNDS):
        begin = time.process_time()
        for _ in range(_TIMES):
            await work()
        rounds.append(time.process_time() - begin)
    return min(rounds) / _TIMES * 1e6


def _rules(registry: Registry) -> float:
    """A decoded pod to what would be stored: all but managed fields and encoding."""
    row = registry.table.get("pods")
    draw, pod, chain = random.Random(2), documents.pod("web"), defaults.chain()
    chain.open(registry.cache)
    operation = Operation(Verb.CREATE, "pods", "default", "web")

    def once() -> None:
        call = Call(
            operation, row, row, _USER, 1.7e9, draw, registry.cache, registry.views,
            authz=registry.authz,
        )  # fmt: skip
        request: list[Request] = []

        def mutate(new: Any) -> None:
            request.append(Request(Act.CREATE, call, new))
            chain.mutate(request[0])

        body = pod | {"metadata": dict(pod["metadata"])}
        rules.for_create(row, body, call.rules(), mutate)
        chain.complete(request[0])
        chain.validate(request[0])
        call.settle()

    return _best(once)


async def _applied(registry: Registry, *, anew: bool) -> float:
    numbers = itertools.count()

    def config() -> Operation:
        number = next(numbers)
        name = f"applied-{number}" if anew else "again"
        pod = documents.pod(name)
        if not anew:
            pod["metadata"]["annotations"]["example.com/checksum"] = str(number)
        text = json.dumps(pod).encode()
        return Operation(
            Verb.PATCH, "pods", "default", name, "", text, APPLY_PATCH, field_manager="bench"
        )

    made = iter([config() for _ in range(_ROUNDS * _TIMES)])
    return await _best_of(lambda: registry.one(next(made), _USER))


async def _created(registry: Registry, resource: str, make: Callable[[str], Any]) -> float:
    made = iter([
        Operation(Verb.CREATE, resource, "default", f"made-{n}", "",
                  json.dumps(make(f"made-{n}")).encode())
        for n in range(_ROUNDS * _TIMES)
    ])  # fmt: skip
    return await _best_of(lambda: registry.one(next(made), _USER))


async def _create(registry: Registry, resource: str, document: Any) -> None:
    name, text = document["metadata"]["name"], json.dumps(document).encode()
    await registry.one(Operation(Verb.CREATE, resource, "default", name, "", text), _ADMIN)


def _protobuf() -> float:
    body = encoder.encode(documents.pod("web"))
    return _best(lambda: decoder.decode(body))


async def _define(registry: Registry) -> None:
    schema = {"type": "object", "properties": {"spec": _SPEC}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "widgets", "kind": "Widget"}
    await _create(registry, DEFINITIONS, {
        "metadata": {"name": _WIDGETS},
        "spec": {
            "group": "bench.example.com", "scope": "Namespaced", "names": names,
            "versions": [version],
        },
    })  # fmt: skip
    async with asyncio.timeout(10):
        while registry.table.get(_WIDGETS) is None:
            await asyncio.sleep(0.01)


def _widget(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "bench.example.com/v1",
        "kind": "Widget",
        "metadata": {"name": name, "namespace": "default"},
        "spec": _WIDGET,
    }


def _rule() -> float:
    environment = cel.Environment({"self": structural.from_schema(_SPEC)})
    program = cel.compile(_RULE, environment)
    values = {"self": _WIDGET}
    return _best(lambda: program.run(values, budget=cel.Budget()))
