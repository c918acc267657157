"""The scheduler: informers feed the queue and the node table; while it leads, it works."""

import asyncio
import dataclasses
import functools
import random as randomness

import structlog

from cluster.aio import clock, tasks
from cluster.client import informer, leaderelection, recorder
from cluster.client.client import Client
from cluster.scheduler import explain, reporting
from cluster.scheduler.config import Config
from cluster.scheduler.worker import Worker


class Scheduler:
    """Binds pods to nodes; while leader election is on, only as long as it leads.

    `ready` is set once the caches are filled and pods are scheduled, or it stands for election.
    """

    def __init__(
        self,
        config: Config,
        *,
        client: Client,
        clock: clock.Clock,
        random: randomness.Random,
    ) -> None:
        self._config = config
        self._client = client
        self._clock = clock
        self._random = random
        self._history = explain.History(
            attempts=config.explained_attempts, size=config.explained_bytes
        )
        self._log = structlog.get_logger().bind(component="scheduler")
        self._worker: Worker | None = None
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled. leaderelection.LostLeadership: start again to stand again.

        A standby fills its caches, too, as kube-scheduler's does: it can begin at once.
        """
        config = leaderelection.Config(
            identity=self._config.identity, **dataclasses.asdict(self._config.lease)
        )
        elected = config if self._config.leader_elect else None
        try:
            async with tasks.Group("scheduler") as group:
                events, work = self._built()
                informers = informer.Informers(self._client, self._random)
                work.follow(informers)
                informers.start(group)
                await informers.synced()
                if elected is not None:
                    self.ready.set()
                lead = functools.partial(self._lead, group, events, work)
                await leaderelection.run(lead, elected, self._client, self._clock, self._random)
        finally:
            self.ready.clear()
            self._worker = None

    def explain(self, key: str) -> explain.Explanation | None:
        """The last attempt for the pod `namespace/name`, if it is still remembered."""
        return self._history.explain(key)

    def waits(self, key: str) -> tuple[str, str]:
        """Where the pod waits, and why it is gated; "" where this scheduler does not lead."""
        return self._worker.waits(key) if self._worker is not None else ("", "")

    @property
    def leads(self) -> bool:
        """Whether it schedules pods now."""
        return self._worker is not None and self.ready.is_set()

    def _built(self) -> tuple[reporting.Recorders, Worker]:
        events = reporting.Recorders(
            {
                one.scheduler_name: recorder.Recorder(
                    self._client,
                    self._clock,
                    self._random,
                    one.scheduler_name,
                    by_event_time=True,
                )
                for one in self._config.served
            }
        )
        work = Worker(
            self._config,
            client=self._client,
            clock=self._clock,
            random=self._random,
            history=self._history,
            events=events,
        )
        return events, work

    async def _lead(self, group: tasks.Group, events: reporting.Recorders, work: Worker) -> None:
        for name, one in events.named.items():
            group.spawn(one.run(), f"events/{name}")
        group.spawn(work.reporter.run(), "conditions")
        self._worker = work
        self.ready.set()
        self._log.info("scheduling", scheduler=self._config.scheduler_name)
        await work.run(group)
