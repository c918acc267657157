"""Runs a coroutine while this process holds a Lease, and no longer."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from cluster.aio import clock, tasks
from cluster.api import errors, objects
from cluster.api.operations import Fence
from cluster.client import figures
from cluster.client.client import Client
from cluster.client.election import JITTER_FACTOR, Candidate, Config

__all__ = ["Config", "LeaderElector", "LostLeadership"]

_RELEASE_SECONDS = 2.0


class LostLeadership(Exception):
    """The lease could not be renewed in time; somebody else may lead by now."""


async def run(
    lead: Callable[[], Awaitable[None]],
    config: Config | None,
    client: Client,
    clock: clock.Clock,
    random: random.Random,
) -> None:
    """Run `lead` while this process holds the Lease of `config`; None: at once, and for ever.

    LostLeadership: start again to stand again.
    """
    if config is None:
        await lead()
    else:
        elector = LeaderElector(config, client, clock, random)
        counted = figures.current.get()
        if counted is not None:
            counted.follow("leader_election_master_status", lambda: elector.leads, config.name)
        await elector.run(lead)


class LeaderElector:
    """A candidate for the Lease of `config`."""

    def __init__(
        self, config: Config, client: Client, clock: clock.Clock, random: random.Random
    ) -> None:
        self._config = config
        self._client = client
        self._clock = clock
        self._random = random
        self._candidate = Candidate(config)
        self._lease: objects.Object | None = None
        self._log = structlog.get_logger().bind(lease=config.name, identity=config.identity)

    @property
    def leads(self) -> bool:
        """Whether this candidate holds the lease, as far as it knows."""
        return self._candidate.leads

    @property
    def holder(self) -> str:
        """Who was last seen to lead; "" for nobody."""
        return self._candidate.holder

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, run `lead` while it is renewed, and give it back.

        From then on the client's writes are made only while the API knows this candidate as the
        leader, in this term: those of a process that was stopped for long are refused when it goes
        on (`Client.fence`).

        Returns when `lead` does. LostLeadership, with `lead` cancelled, where renewing failed for
        the renew deadline.
        """
        await self._acquire()
        config = self._config
        self._client.fence = Fence(
            config.namespace, config.name, config.identity, self._candidate.term
        )
        self._log.info("became leader", term=self._candidate.term)
        try:
            async with tasks.Group(f"{self._config.name}-leader") as group:
                renewing = group.spawn(self._renew(), "renew")
                await lead()
                renewing.cancel()
        except asyncio.CancelledError:
            if self._config.release_on_cancel:
                await self._release()
            raise
        except BaseException:
            await self._release()
            raise
        await self._release()

    async def _acquire(self) -> None:
        while not await self._try(self._config.renew_deadline):
            period = self._config.retry_period
            await asyncio.sleep(period * (1 + JITTER_FACTOR * self._random.random()))

    async def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._config.renew_deadline
        while True:
            await asyncio.sleep(self._config.retry_period)
            if await self._try(deadline - loop.time()):
                deadline = loop.time() + self._config.renew_deadline
            elif not self._candidate.leads or loop.time() + self._config.retry_period > deadline:
                self._log.error("lost leadership", holder=self._candidate.holder)
                raise LostLeadership(
                    f"the lease {self._config.namespace}/{self._config.name} was not renewed "
                    f"within {self._config.renew_deadline:g} seconds"
                )

    async def _try(self, seconds: float) -> bool:
        """Acquire or renew once, within `seconds`; whether that left us leading."""
        try:
            async with asyncio.timeout(seconds):
                return await self._claim()
        except TimeoutError:
            self._log.warning("lease not answered in time", seconds=seconds)
        except (errors.Conflict, errors.AlreadyExists):
            self._lease = None  # another candidate was faster: read it again
        except errors.StatusError as failure:
            self._log.warning("lease not written", reason=failure.reason, error=str(failure))
            self._lease = None
        return False

    async def _claim(self) -> bool:
        """One try. A leader writes upon what it wrote last, without reading."""
        config = self._config
        loop = asyncio.get_running_loop()
        if self._lease is None or not self._candidate.leads:
            self._lease = await self._read()
            self._see(loop.time())
        spec = self._candidate.claim(loop.time(), self._clock.now())
        if spec is None:
            return False
        if self._lease is None:
            metadata = {"name": config.name, "namespace": config.namespace}
            created = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": metadata,
                "spec": spec,
            }
            self._lease = await self._client.create("leases.coordination.k8s.io", created)
        else:
            updated = self._lease | {"spec": spec}
            self._lease = await self._client.update("leases.coordination.k8s.io", updated)
        self._see(loop.time())
        return True

    async def _read(self) -> objects.Object | None:
        try:
            return await self._client.get(
                "leases.coordination.k8s.io", self._config.name, self._config.namespace
            )
        except errors.NotFound:
            return None

    def _see(self, now: float) -> None:
        if self._lease is not None:
            self._candidate.see(objects.spec(self._lease), now)

    async def _release(self) -> None:
        """Give the lease up, as far as that is possible in little time."""
        if self._lease is None or not self._candidate.leads:
            return
        released = self._lease | {"spec": self._candidate.release(self._clock.now())}
        try:
            async with asyncio.timeout(_RELEASE_SECONDS):
                await self._client.update("leases.coordination.k8s.io", released)
        except (TimeoutError, errors.StatusError) as failure:
            self._log.info("lease not released", error=str(failure))
