"""Which of several API servers decides what must not be decided twice.

Who hands out cluster IPs, or lets pods into a namespace that has a quota, must know everything that
was handed out before. One server knows that by itself. Several on one store take turns: a record
in the store, the *tenure* of a scope, names the server that decides. Its writes carry the record as
a guard, so they are made only while that still holds; another server takes the tenure over by
compare-and-set, waits until its cache is as new as that, and then knows all that was decided
before. What the first had under way is refused by the store from then on, and planned again. So
there is nothing to give back, and nothing is left behind by a server that died.

A tenure that has just been taken is left to its holder for a moment: servers that are all busy do
not only take it from each other.
"""

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from cluster.apiserver import codec
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.watchcache.events import Event

if TYPE_CHECKING:
    from cluster.apiserver.plan import Call

RESOURCE: Final = "tenures.kubemu.dev"
"""What the records are kept as; there is no such resource in the API."""
SERVICES: Final = "services"
"""The scope of cluster IPs and node ports."""
HOLD_SECONDS: Final = 0.05


class Needed(Exception):
    """Planning stops here: first the tenure has to be taken by writing `value` over the record of
    `expected`, or, where `pause` is not 0, it is somebody else's for so many seconds more.
    """

    def __init__(self, key: str, value: bytes, expected: int, pause: float) -> None:
        super().__init__(f"{key} is held by another server")
        self.key = key
        self.value = value
        self.expected = expected
        self.pause = pause


class _Spec(msgspec.Struct):
    holder: str = ""


_read = msgspec.json.Decoder(_Spec).decode


class Tenures:
    """What `identity`, an API server whose cache this is, decides of. It must be unique."""

    def __init__(self, identity: str, cache: WatchCache) -> None:
        self._identity = identity
        self._cache = cache.of(RESOURCE)
        self._since: dict[str, float] = {}
        self._holders: dict[str, str] = {}

    def open(self) -> None:
        """Follow the records."""
        self._cache.observe(self._follow)

    def decide(self, scope: str) -> tuple[str, int]:
        """The guard of a write that this server alone may decide. Needed."""
        key = codec.key(RESOURCE, "", scope)
        entry = self._cache.get(key)
        if entry is None:
            raise Needed(key, self._record(scope), 0, 0.0)
        if self._holders.get(key) == self._identity:
            return key, entry.revision
        held = asyncio.get_running_loop().time() - self._since.get(key, 0.0)
        pause = max(HOLD_SECONDS - held, 0.0)
        raise Needed(key, self._record(scope), entry.revision, pause)

    def _record(self, scope: str) -> bytes:
        return msgspec.json.encode(
            {
                "apiVersion": "kubemu.dev/v1",
                "kind": "Tenure",
                "metadata": {"name": scope},
                "holder": self._identity,
            }
        )

    def _follow(self, event: Event) -> None:
        if event.entry is None:
            if event.previous is not None:
                self._holders.pop(event.previous.key, None)
                self._since.pop(event.previous.key, None)
            return
        self._holders[event.entry.key] = _read(event.entry.json).holder
        self._since[event.entry.key] = asyncio.get_running_loop().time()


def decide(call: "Call", scope: str) -> None:
    """Let a write be made only while this server decides of `scope`. Needed.

    Where no other server writes, and where nothing will be written, there is nothing to do.
    """
    if call.tenures is not None and not call.operation.dry_run:
        call.guard(*call.tenures.decide(scope))
