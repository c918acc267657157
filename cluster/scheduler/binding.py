"""The binding cycle of one pod: Permit, PreBind, Bind. Runs beside the next decisions."""

import asyncio

from cluster.scheduler.config import Config
from cluster.scheduler.core import Placed
from cluster.scheduler.framework.profile import Profile
from cluster.scheduler.framework.status import SUCCESS, Code, Status
from cluster.scheduler.pods import PodInfo


async def bind(profile: Profile, config: Config, pod: PodInfo, placed: Placed) -> Status:
    """Bind the pod to its node. A verdict that is not success names its plugin."""
    status = SUCCESS
    try:
        if profile.permits:
            async with asyncio.timeout(config.permit_timeout):
                status = await _permit(profile, pod, placed)
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


async def _bind(profile: Profile, pod: PodInfo, placed: Placed) -> Status:
    for pre_bind in profile.pre_binds:
        status = await pre_bind.pre_bind(placed.state, pod, placed.node)
        if not status.ok:
            return _failure("PreBind", pre_bind.name, status)
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
