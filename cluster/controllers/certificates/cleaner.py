"""The cleaner: requests that have been answered, or that nobody answers, are removed in the end."""

import asyncio

import structlog

from cluster.aio import tasks
from cluster.api import errors, objects
from cluster.controllers import context
from cluster.controllers.certificates import decision
from cluster.controllers.certificates.approver import REQUESTS

PERIOD = 3600.0
"""Seconds between passes."""


class CertificateCleaner:
    """Looks at all requests once an hour."""

    def __init__(self, ctx: context.Context) -> None:
        self._client = ctx.client
        self._clock = ctx.clock
        self._requests = ctx.shared(REQUESTS)
        self._log = structlog.get_logger().bind(controller="csrcleaner")

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._requests.synced()
        async with tasks.Group("csrcleaner") as group:
            group.spawn(self._passes(), "passes")

    async def _passes(self) -> None:
        while True:
            await self._pass()
            await asyncio.sleep(PERIOD)

    async def _pass(self) -> None:
        now = self._clock.now()
        for csr in self._requests.store.list():
            if not decision.outlived(csr, now):
                continue
            name = objects.name(csr)
            try:
                await self._client.delete(REQUESTS, name, uid=objects.uid(csr))
            except (errors.NotFound, errors.Conflict):
                continue
            except errors.StatusError as failure:
                self._log.warning("request not removed", request=name, error=str(failure))
