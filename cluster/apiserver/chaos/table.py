"""The faults in effect: for whom each is, how long, and what it does to a request."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from random import Random
from typing import Final, Protocol

from cluster.api import errors, identity
from cluster.api.operations import VERB_NAMES, Operation

ERRORS: Final[Mapping[int, type[errors.StatusError]]] = {
    kind.code: kind
    for kind in (
        errors.BadRequest, errors.Unauthorized, errors.Forbidden, errors.NotFound, errors.Conflict,
        errors.Expired, errors.TooManyRequests, errors.InternalError, errors.ServiceUnavailable,
        errors.Timeout,
    )
}  # fmt: skip
"""What may be answered in place of an answer, by HTTP code."""
_RETRIES: Final = (429, 503)
"""These tell clients to try again after a second, as kube-apiserver's own do."""
_READS: Final = ("get", "list")
SAID: Final = "injected by chaos"


@dataclass(frozen=True, slots=True)
class ApiFault:
    """See proto/cluster/v1/chaos.proto. `revision` is when it began. ValueError."""

    users: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    share: float = 1.0
    code: int = 0
    latency: float = 0.0
    drop_watches: float = 0.0
    delay_watches: float = 0.0
    stale: bool = False
    revision: int = 0

    def __post_init__(self) -> None:
        if self.code and self.code not in ERRORS:
            known = ", ".join(map(str, sorted(ERRORS)))
            raise ValueError(f"code {self.code} is none that can be injected: {known}")
        if not 0 < self.share <= 1:
            raise ValueError(f"share {self.share:g} is not between 0 and 1")
        for name in ("latency", "drop_watches", "delay_watches"):
            if not 0 <= getattr(self, name) <= 3600:
                raise ValueError(f"{name} is not between 0 and 3600 seconds")
        if not (self.code or self.latency or self.of_watches or self.stale):
            raise ValueError("the fault says nothing of what is to be done")

    @property
    def of_watches(self) -> bool:
        """Whether it does something to watches."""
        return bool(self.drop_watches or self.delay_watches)

    def acts_on(self, verb: str) -> bool:
        """Whether a request of this verb is any different for it."""
        return bool(
            self.code
            or self.latency
            or (self.of_watches and verb == "watch")
            or (self.stale and verb in _READS)
        )

    def matches(self, user: str, verb: str, resource: str) -> bool:
        """Whether it is for a request."""
        return (
            (not self.verbs or verb in self.verbs)
            and (not self.resources or resource in self.resources)
            and (not self.users or any(fnmatchcase(user, pattern) for pattern in self.users))
        )


class Closable(Protocol):
    """A watch of a client."""

    def close(self) -> None:
        """End it."""
        ...


class Faults:
    """The faults in effect, by id. `hits` counts what each was done to."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._faults: dict[str, ApiFault] = {}
        self.hits: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._faults)

    def put(self, id: str, fault: ApiFault) -> None:
        """Put one into effect; one of the same id is replaced."""
        self._faults[id] = fault
        self.hits[id] = 0

    def drop(self, id: str) -> ApiFault | None:
        """End one; which it was."""
        self.hits.pop(id, None)
        return self._faults.pop(id, None)

    async def meet(self, user: identity.User, verb: str, resource: str) -> int:
        """Let a request suffer what it is to suffer. errors.StatusError.

        The revision as of which it is to be answered; 0: as things are.
        """
        struck = self._struck(user.name, verb, resource)
        latency = sum(fault.latency for fault in struck)
        if latency:
            await asyncio.sleep(latency)
        for fault in struck:
            if fault.code:
                raise failure(fault.code)
        return next((one.revision for one in struck if one.stale and verb in _READS), 0)

    async def refusals(
        self, user: identity.User, batch: Sequence[Operation]
    ) -> dict[int, errors.StatusError]:
        """What of a batch fails, by index; all of it is as late as its latest operation."""
        found: dict[int, errors.StatusError] = {}
        latest = 0.0
        for index, operation in enumerate(batch):
            verb = VERB_NAMES.get(operation.verb, "")
            struck = self._struck(user.name, verb, operation.resource)
            latest = max(latest, sum(fault.latency for fault in struck))
            code = next((fault.code for fault in struck if fault.code), 0)
            if code:
                found[index] = failure(code)
        if latest:
            await asyncio.sleep(latest)
        return found

    def on_watch(self, user: str, resource: str) -> tuple[float, float]:
        """After how many seconds a new watch is dropped, and how late its events are; 0: not."""
        struck = [
            fault
            for fault in self._struck(user, "watch", resource, count=False)
            if fault.of_watches
        ]
        drops = [fault.drop_watches for fault in struck if fault.drop_watches]
        return min(drops, default=0.0), sum(fault.delay_watches for fault in struck)

    def _struck(self, user: str, verb: str, resource: str, *, count: bool = True) -> list[ApiFault]:
        found = []
        for name, fault in self._faults.items():
            if not fault.matches(user, verb, resource):
                continue
            if fault.share < 1 and self._random.random() >= fault.share:
                continue
            if count and fault.acts_on(verb):
                self.hits[name] += 1
            found.append(fault)
        return found


class Followers:
    """The watches that clients have open, so that a fault can be put on those that are there."""

    def __init__(self) -> None:
        self._open: dict[Closable, tuple[str, str]] = {}

    def enter(self, watch: Closable, user: identity.User, resource: str) -> Callable[[], None]:
        """A watch has begun; call the answer at its end."""
        self._open[watch] = (user.name, resource)
        return lambda: self._open.pop(watch, None) and None

    def cut(self, fault: ApiFault) -> int:
        """End those that a fault is for: who watches comes again, and then it is on him. How many
        there were.
        """
        found = [
            watch
            for watch, (user, resource) in self._open.items()
            if fault.matches(user, "watch", resource)
        ]
        for watch in found:
            watch.close()
        return len(found)


def failure(code: int) -> errors.StatusError:
    """The error of an HTTP code, as kube-apiserver would say it."""
    kind = ERRORS[code]
    return kind(f"{SAID}: {kind.reason}", retry_after=1 if code in _RETRIES else None)
