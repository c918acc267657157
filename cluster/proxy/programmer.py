"""Keeps the data plane's table equal to ours: by changes, or in full where it is another table."""

import asyncio
import random as randomness
from collections.abc import AsyncIterator, Sequence
from typing import Final

import structlog

from cluster.aio import backoff, rpc
from cluster.pb.cluster.v1 import dataplane_pb2 as pb
from cluster.proxy import following
from cluster.proxy.config import Config
from cluster.proxy.dataplane import DataPlane
from cluster.proxy.table import Delta, Table

_CHUNK: Final = 256
"""Entries in one message of a full table."""
_FIRST_RETRY: Final = 0.1


class Programmer:
    """Programs one data plane.

    When the data plane turns out to have lost its table, `wake` is set, and the next `program`
    sends all of it.
    """

    def __init__(
        self, config: Config, plane: DataPlane, random: randomness.Random, wake: asyncio.Event
    ) -> None:
        self._config = config
        self._plane = plane
        self._random = random
        self._wake = wake
        self._state: pb.ServicesState | None = None
        self._log = structlog.get_logger().bind(component="kube-proxy", node=config.node_name)

    async def program(self, table: Table, delta: Delta) -> None:
        """Carry `delta` over, which leads to `table`. Tries until it succeeds.

        `table` must not change meanwhile.
        """
        retry = self._retry()
        while True:
            try:
                if not await self._update(delta):
                    await self._replace(table)
            except (rpc.Failure, TimeoutError) as failure:
                self._state = None
                self._log.warning("data plane not programmed", error=str(failure))
                await retry.wait()
            else:
                return

    async def watch(self) -> None:
        """Notice when the data plane starts anew, until cancelled."""
        await following.follow(
            lambda: self._plane.watch_services(pb.WatchServicesRequest()),
            self._look,
            self._retry(),
            self._log,
        )

    def _look(self, state: pb.ServicesState) -> None:
        if following.is_another(self._state, state):
            self._state = None
            self._wake.set()

    async def _update(self, delta: Delta) -> bool:
        """Whether the data plane had the table that we know."""
        known = self._state
        if known is None:
            return False
        if not delta:
            return True
        request = pb.UpdateServicesRequest(expected=known, set=delta.put, removed=delta.removed)
        async with asyncio.timeout(self._config.call_timeout):
            answer = await self._plane.update_services(request)
        if self._state is not known or not answer.applied:
            return False
        self._state = answer.state
        return True

    async def _replace(self, table: Table) -> None:
        async with asyncio.timeout(self._config.call_timeout):
            state = await self._plane.replace_services(_chunks(list(table.values())))
        self._state = state
        self._log.info("service table programmed", entries=len(table), instance=state.instance)

    def _retry(self) -> backoff.Backoff:
        return backoff.Backoff(
            self._random, initial=_FIRST_RETRY, maximum=self._config.longest_retry
        )


async def _chunks(
    services: Sequence[pb.ServicePort],
) -> AsyncIterator[pb.ReplaceServicesRequest]:
    for start in range(0, len(services), _CHUNK):
        yield pb.ReplaceServicesRequest(services=services[start : start + _CHUNK])
