"""The binding cycle of one pod: Permit, PreBind, Bind. Runs beside the next decisions."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from cluster.scheduler.config import Config
from cluster.scheduler.core import Placed
from cluster.scheduler.framework import points
from cluster.scheduler.framework.profile import Profile
from cluster.scheduler.framework.status import SUCCESS, Code, Status
from cluster.scheduler.pods import PodInfo

_WAITING_EACH: Final = 16
"""How many pods may wait for others (for volumes) for each that may be on its way to the API."""


def _nobody() -> None:
    """Nobody waits for a slot."""


@dataclass(slots=True)
class Slots:
    """How many pods are between decision and binding. Those that wait for others count little:
    volumes that nobody makes hold up no pods without volumes. `freed` is called when one waits.
    """

    limit: int
    freed: Callable[[], None] = _nobody
    taken: int = 0
    waiting: int = 0

    @property
    def full(self) -> bool:
        """Whether no more pods may be on their way to their nodes."""
        return self.taken >= self.limit or self.waiting >= self.limit * _WAITING_EACH

    @contextlib.contextmanager
    def given_back(self) -> Iterator[None]:
        """Wait without holding a slot."""
        self.taken -= 1
        self.waiting += 1
        self.freed()
        try:
            yield
        finally:
            self.taken += 1
            self.waiting -= 1


async def bind(
    profile: Profile, config: Config, pod: PodInfo, placed: Placed, slots: Slots | None = None
) -> Status:
    """Bind the pod to its node. A verdict that is not success names its plugin.

    The pod has one of `slots`, which it gives back while it waits for others.
    """
    status = SUCCESS
    try:
        if profile.permits:
            async with asyncio.timeout(config.permit_timeout):
                status = await _permit(profile, pod, placed)
        for plugin in profile.pre_binds:
            if status.ok:
                status = await _patiently(plugin, config, pod, placed, slots or Slots(1))
        if status.ok:
            async with asyncio.timeout(config.bind_timeout):
                status = await _bind(profile, pod, placed)
    except TimeoutError:
        return Status(Code.ERROR, ("binding was not done in time",))
    return status


async def _permit(profile: Profile, pod: PodInfo, placed: Placed) -> Status:
    for permit in profile.permits:
        status = await permit.permit(placed.state, pod, placed.node)
        if not status.ok:
            return _failure("Permit", permit.name, status)
    return SUCCESS


async def _patiently(
    plugin: points.PreBind, config: Config, pod: PodInfo, placed: Placed, slots: Slots
) -> Status:
    if not isinstance(plugin, points.Patient):
        return await _pre_bind(plugin, pod, placed, config.bind_timeout)
    if not plugin.waits(placed.state):
        return SUCCESS
    with slots.given_back():
        return await _pre_bind(plugin, pod, placed, plugin.patience)


async def _pre_bind(plugin: points.PreBind, pod: PodInfo, placed: Placed, seconds: float) -> Status:
    async with asyncio.timeout(seconds):
        status = await plugin.pre_bind(placed.state, pod, placed.node)
    return status if status.ok else _failure("PreBind", plugin.name, status)


async def _bind(profile: Profile, pod: PodInfo, placed: Placed) -> Status:
    for binder in profile.binds:
        status = await binder.bind(pod, placed.node)
        if status.code is not Code.SKIP:
            return status if status.ok else _failure("Bind", binder.name, status)
    return Status(Code.ERROR, ("all bind plugins were skipped",))


def _failure(point: str, plugin: str, status: Status) -> Status:
    """A rejection keeps its words; a fault says where it happened, as in Kubernetes."""
    if status.rejected:
        return Status(status.code, status.reasons, plugin)
    return Status(Code.ERROR, (f'running {point} plugin "{plugin}": {status.message}',), plugin)
