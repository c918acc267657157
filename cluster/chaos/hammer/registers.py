"""Clients that write and read the same few ConfigMaps, each value once, and keep the history."""

import asyncio
from random import Random
from typing import Final

from cluster.aio.clock import Clock
from cluster.api import errors, objects
from cluster.chaos.checking.history import Call, History, Seen, Verb
from cluster.client.client import Client

RESOURCE: Final = "configmaps"
FIELD: Final = "value"
_CHOICE: Final = (
    *(4 * (Verb.PATCH,)), *(4 * (Verb.UPDATE,)), *(3 * (Verb.GET,)), *(3 * (Verb.CREATE,)),
    Verb.DELETE, Verb.LIST,
)  # fmt: skip


def prefix(namespace: str) -> str:
    """What the keys of a namespace's registers begin with."""
    return f"{namespace}/"


def value_of(obj: objects.Object) -> str | None:
    """What a register holds; None for a ConfigMap that is none."""
    found = (obj.get("data") or {}).get(FIELD)
    return found if isinstance(found, str) else None


def revision_of(obj: objects.Object) -> int:
    """The revision of an object; 0 where it tells none."""
    return int(objects.meta(obj).get("resourceVersion") or 0)


class Hammer:
    """One client. What it does next, its generator says; it waits for each answer at most
    `patience` seconds, and then never knows.
    """

    def __init__(
        self,
        client: Client,
        name: str,
        history: History,
        *,
        namespace: str,
        names: tuple[str, ...],
        random: Random,
        clock: Clock,
        patience: float = 10.0,
    ) -> None:
        self._client = client
        self._name = name
        self._history = history
        self._namespace = namespace
        self._names = names
        self._random = random
        self._clock = clock
        self._patience = patience
        self._known: dict[str, int] = {}
        self._count = 0

    async def run(self, count: int, pause: float) -> None:
        """`count` operations, with pauses of `pause` seconds on average."""
        for _ in range(count):
            await self.one()
            await asyncio.sleep(self._random.uniform(0, 2 * pause))

    async def one(self) -> None:
        """One operation."""
        name, verb = self._random.choice(self._names), self._random.choice(_CHOICE)
        if verb is Verb.UPDATE and name not in self._known:
            verb = Verb.GET
        await self._do(verb, name)

    async def look(self) -> bool:
        """Read every register; whether all of them answered."""
        calls = [await self._do(Verb.GET, name) for name in self._names]
        listed = await self._do(Verb.LIST, "")
        return all(self._history.calls[number].end < float("inf") for number in [*calls, listed])

    async def _do(self, verb: Verb, name: str) -> int:
        self._count += 1
        key = prefix(self._namespace) + ("" if verb is Verb.LIST else name)
        value = f"{self._name}.{self._count}" if verb in _WRITES else ""
        expected = self._known[name] if verb is Verb.UPDATE else 0
        number = self._history.invoke(
            self._name, verb, key, self._clock.now(), value=value, expected=expected
        )
        try:
            async with asyncio.timeout(self._patience):
                await self._ask(number, self._history.calls[number], name)
        except TimeoutError:
            self._history.fail(number, self._clock.now(), "no answer in time")
        except errors.StatusError as error:
            self._known.pop(name, None)
            self._history.fail(number, self._clock.now(), error.reason)
        return number

    async def _ask(self, number: int, call: Call, name: str) -> None:
        if call.verb is Verb.LIST:
            await self._list(number)
        elif call.verb is Verb.DELETE:
            await self._client.delete(RESOURCE, name, self._namespace)
            self._history.ok(number, self._clock.now())
        elif call.verb is Verb.GET:
            got = await self._client.get(RESOURCE, name, self._namespace)
            seen = Seen(value_of(got) or "", revision_of(got))
            self._known[name] = seen.revision
            self._history.ok(number, self._clock.now(), revision=seen.revision, seen=seen)
        else:
            made = await self._write(call, name)
            self._known[name] = revision_of(made)
            self._history.ok(number, self._clock.now(), revision=revision_of(made))

    async def _write(self, call: Call, name: str) -> objects.Object:
        if call.verb is Verb.PATCH:
            patch = {"data": {FIELD: call.value}}
            return await self._client.patch(RESOURCE, name, patch, self._namespace)
        obj: objects.Object = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self._namespace},
            "data": {FIELD: call.value},
        }
        if call.verb is Verb.CREATE:
            return await self._client.create(RESOURCE, obj)
        obj["metadata"]["resourceVersion"] = str(call.expected)
        return await self._client.update(RESOURCE, obj)

    async def _list(self, number: int) -> None:
        listing = await self._client.list(RESOURCE, self._namespace)
        members = {
            prefix(self._namespace) + objects.name(each): Seen(value, revision_of(each))
            for each in listing.items
            if (value := value_of(each)) is not None
        }
        now = self._clock.now()
        self._history.ok(number, now, revision=listing.revision, members=members)


_WRITES: Final = frozenset({Verb.CREATE, Verb.UPDATE, Verb.PATCH})
