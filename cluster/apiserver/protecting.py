"""What protects and watches the REST face, built from the settings: audit, fairness, figures."""

from collections.abc import Mapping
from contextlib import ExitStack
from random import Random

from aiohttp import web

from cluster.aio.clock import Clock
from cluster.apiserver.audit.auditor import Auditor
from cluster.apiserver.audit.logfile import LogFile
from cluster.apiserver.config import Config
from cluster.apiserver.fairness.bounds import Bounds
from cluster.apiserver.fairness.gate import Gate
from cluster.apiserver.limits import Refusals, WatchBounds
from cluster.apiserver.metrics.requests import RequestMetrics
from cluster.apiserver.registry import Registry
from cluster.apiserver.rest import pages
from cluster.apiserver.rest.exchange import Protection


class Protected:
    """The `protection` of a REST server and the `pages` beside its API. Use it inside `with`."""

    def __init__(self, config: Config, registry: Registry, clock: Clock, random: Random) -> None:
        bounds = config.fairness
        self._registry = registry
        self._stack = ExitStack()
        self._gate: Gate | None = None
        if bounds.enabled:
            self._gate = Gate(registry.cache, bounds.reading + bounds.mutating)
        self._log: LogFile | None = None
        auditor = None
        if config.audit is not None:
            self._log = LogFile(config.audit.path, clock, config.audit.rotation)
            auditor = Auditor(config.audit, clock, self._log)
        self._metrics = RequestMetrics()
        self.refusals = Refusals()
        registry.bounds = WatchBounds(config.limits, self.refusals)
        self.protection = Protection(
            random,
            door=self._gate if self._gate is not None else Bounds(bounds.reading, bounds.mutating),
            auditor=auditor,
            metrics=self._metrics,
        )
        where = f"https://{config.advertise}:{config.port}" if config.advertise else ""
        keys = f"{where}{pages.KEYS}" if where else ""
        self.pages: Mapping[str, pages.Page] = {
            pages.METRICS: self._figures,
            **pages.openid(config.service_accounts, keys),
        }

    def __enter__(self) -> "Protected":
        if self._log is not None:
            self._log.open()
            self._stack.callback(self._log.close)
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _figures(self, http: web.BaseRequest) -> web.Response:
        from cluster.apiserver.metrics.exposition import Exposition  # late: many never ask

        shown = Exposition(
            self._metrics, self._registry.cache, self._registry.table, self._gate, self._log,
            refusals=self.refusals,
        )  # fmt: skip
        body, media = shown.text(http.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": media})
