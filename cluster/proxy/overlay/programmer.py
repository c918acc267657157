"""Keeps the data plane's tables equal to ours: by changes, or whole where they are others."""

import asyncio
import random as randoms
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final

import structlog

from cluster.aio import backoff, rpc
from cluster.pb.cluster.v1 import overlay_pb2 as pb
from cluster.proxy import following
from cluster.proxy.config import Config
from cluster.proxy.overlay.plane import Plane
from cluster.proxy.overlay.tables import Tables

_FIRST_RETRY: Final = 0.1


class Programmer:
    """Programs one data plane, and calls `lost` when that turns out to have begun anew."""

    def __init__(
        self, config: Config, plane: Plane, random: randoms.Random, lost: Callable[[], None]
    ) -> None:
        self._config = config
        self._plane = plane
        self._lost = lost
        self._random = random
        self._settings: pb.OverlaySettings | None = None
        self._instance = ""
        self._state: pb.OverlayState | None = None
        """The tables that the data plane has, where those are ours."""
        self.vtep: pb.Vtep | None = None
        """How this node is reached; None: the back end is not up."""
        self._log = structlog.get_logger().bind(component="kube-proxy", node=config.node_name)

    async def program(self, settings: pb.OverlaySettings, tables: Tables) -> None:
        """Carry over what changed. rpc.Failure, TimeoutError: it has to be tried again."""
        delta = tables.take()
        try:
            async with asyncio.timeout(self._config.call_timeout):
                if self.vtep is None or settings != self._settings:
                    await self._configure(settings)
                if not await self._update(delta):
                    await self._replace(tables)
        except (rpc.Failure, TimeoutError):
            self._forget()
            raise

    async def watch(self) -> None:
        """Notice when the data plane begins anew, until cancelled."""
        retry = backoff.Backoff(
            self._random, initial=_FIRST_RETRY, maximum=self._config.longest_retry
        )
        await following.follow(
            lambda: self._plane.watch_overlay(pb.WatchOverlayRequest()),
            self._look,
            retry,
            self._log,
        )

    def _look(self, state: pb.OverlayState) -> None:
        if following.is_another(self._state, state):
            self._forget()
            self._lost()

    def _forget(self) -> None:
        self._state = self.vtep = None

    async def _configure(self, settings: pb.OverlaySettings) -> None:
        answer = await self._plane.configure(pb.ConfigureRequest(settings=settings))
        self._settings, self.vtep = settings, answer.vtep
        self._state = None
        self._instance = answer.state.instance

    async def _update(self, delta: pb.UpdateOverlayRequest) -> bool:
        """Whether the data plane had the tables that we know."""
        known = self._state
        if known is None:
            return False
        if not delta.ByteSize():
            return True
        delta.expected.CopyFrom(known)
        answer = await self._plane.update_overlay(delta)
        if self._state is not known or not answer.applied:
            return False
        self._state = answer.state
        return True

    async def _replace(self, tables: Tables) -> None:
        self._state = await self._plane.replace_overlay(_each(tables.whole(self._instance)))
        self._log.info("overlay programmed", instance=self._instance, **tables.figures)


async def _each(
    requests: Iterable[pb.ReplaceOverlayRequest],
) -> AsyncIterator[pb.ReplaceOverlayRequest]:
    for request in requests:
        yield request
