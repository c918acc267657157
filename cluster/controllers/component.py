"""The controller manager: shared informers, leader election, and all controllers."""

import asyncio
import random as randomness

import structlog

from cluster.aio import backoff, clock, tasks
from cluster.api import resources
from cluster.client import client, informer, leaderelection
from cluster.controllers import catalog, customresources
from cluster.controllers.config import Config
from cluster.controllers.context import Context

LEASE_NAMESPACE, LEASE_NAME = "kube-system", "kube-controller-manager"
RESTART_INITIAL, RESTART_MAXIMUM = 1.0, 60.0
"""Seconds before a controller that crashed is started again."""
STEADY = 120.0
"""Seconds of running after which earlier crashes are forgotten."""


class ControllerManager:
    """Runs the controllers; while leader election is on, only as long as it leads.

    `ready` is set once the caches are filled and the controllers run. It is not set while waiting
    for the lease: `leading` tells that apart.
    """

    def __init__(
        self,
        config: Config,
        *,
        client: client.Client,
        clock: clock.Clock,
        random: randomness.Random,
        table: resources.Table | None = None,
    ) -> None:
        self._config = config
        self._client = client
        self._clock = clock
        self._random = random
        self._table = table if table is not None else resources.built_in()
        self._log = structlog.get_logger().bind(component="controller-manager")
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled. leaderelection.LostLeadership: start again to stand again."""
        try:
            if self._config.leader_elect:
                await self._elector().run(self._lead)
            else:
                await self._lead()
        finally:
            self.ready.clear()

    def _elector(self) -> leaderelection.LeaderElector:
        config = leaderelection.Config(
            namespace=LEASE_NAMESPACE, name=LEASE_NAME, identity=self._config.identity
        )
        return leaderelection.LeaderElector(config, self._client, self._clock, self._random)

    async def _lead(self) -> None:
        informers = informer.Informers(self._client, self._random)
        customresources.Definitions(informers, self._table)
        factories = catalog.factories(self._context(informers), self._table)
        async with tasks.Group("controllers") as group:
            running = []
            for name, factory in factories.items():
                context = self._context(informers)
                running.append((name, factory, context, factory(context)))
            informers.start(group)
            await informers.synced()
            for name, factory, context, controller in running:
                keeper = self._keep(name, factory, context, controller, informers)
                group.spawn(keeper, name)
            self.ready.set()
            self._log.info("controllers started", controllers=list(factories))

    def _context(self, informers: informer.Informers) -> Context:
        return Context(self._config, self._client, self._clock, self._random, informers)

    async def _keep(
        self,
        name: str,
        factory: catalog.Factory,
        context: Context,
        controller: catalog.Controller,
        informers: informer.Informers,
    ) -> None:
        """Run a controller; build and start it anew when it crashes, the others undisturbed."""
        loop = asyncio.get_running_loop()
        pause = backoff.Backoff(self._random, initial=RESTART_INITIAL, maximum=RESTART_MAXIMUM)
        while True:
            started = loop.time()
            try:
                await controller.run()
            except Exception:  # noqa: BLE001  (logged with its traceback, and started again)
                self._log.exception("controller crashed", controller=name)
            else:
                self._log.error("controller ended by itself", controller=name)
            finally:
                context.close()
            if loop.time() - started > STEADY:
                pause.reset()
            await pause.wait()
            context = self._context(informers)
            controller = factory(context)
