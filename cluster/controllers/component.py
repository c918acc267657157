"""The controller manager: shared informers, leader election, and all controllers."""

import asyncio
import dataclasses
import functools
import random as randomness
from collections.abc import Callable

import structlog

from cluster.aio import clock, supervision, tasks
from cluster.api import resources
from cluster.client import client, informer, leaderelection
from cluster.controllers import catalog, customresources
from cluster.controllers.config import Config
from cluster.controllers.context import Context


class ControllerManager:
    """Runs the controllers; while leader election is on, only as long as it leads.

    `ready` is set once the caches are filled and the controllers run; where a leader is elected,
    from when it stands for that: as in Kubernetes, only the leader fills its caches. `leads` tells
    that apart.
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
        self.leads = False

    async def run(self) -> None:
        """Serve until cancelled. leaderelection.LostLeadership: start again to stand again."""
        config = leaderelection.Config(
            identity=self._config.identity, **dataclasses.asdict(self._config.lease)
        )
        elected = config if self._config.leader_elect else None
        if elected is not None:
            self.ready.set()
        try:
            await leaderelection.run(self._lead, elected, self._client, self._clock, self._random)
        finally:
            self.ready.clear()
            self.leads = False

    async def _lead(self) -> None:
        informers = informer.Informers(self._client, self._random)
        customresources.Definitions(informers, self._table)
        factories = catalog.factories(self._context(informers), self._table)
        async with tasks.Group("controllers") as group:
            running = [
                _Kept(factory, functools.partial(self._context, informers))
                for factory in factories.values()
            ]
            informers.start(group)
            await informers.synced()
            for name, kept in zip(factories, running, strict=True):
                log = self._log.bind(controller=name)
                group.spawn(supervision.keep(kept.run, random=self._random, log=log), name)
            self.leads = True
            self.ready.set()
            self._log.info("controllers started", controllers=list(factories))

    def _context(self, informers: informer.Informers) -> Context:
        return Context(self._config, self._client, self._clock, self._random, informers)


class _Kept:
    """A controller that can be run again: built anew then, as the crashed one is not trusted."""

    def __init__(self, factory: catalog.Factory, make: Callable[[], Context]) -> None:
        self._factory = factory
        self._make = make
        self._built: tuple[Context, catalog.Controller] | None = self._build()

    def _build(self) -> tuple[Context, catalog.Controller]:
        context = self._make()
        try:
            return context, self._factory(context)
        except BaseException:
            context.close()
            raise

    async def run(self) -> None:
        """Run it until it ends or crashes, which the other controllers do not notice."""
        context, controller = self._built or self._build()
        self._built = None
        try:
            await controller.run()
        finally:
            context.close()
