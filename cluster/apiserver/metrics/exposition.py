"""All figures as Prometheus' text (or OpenMetrics', where that is asked for)."""

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, exposition
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from cluster.api.resources import Table
from cluster.apiserver.audit.logfile import LogFile
from cluster.apiserver.fairness.gate import Gate
from cluster.apiserver.limits import Refusals
from cluster.apiserver.metrics.requests import BUCKETS, RequestMetrics
from cluster.apiserver.watchcache.cache import WatchCache

_KIND = ("verb", "group", "version", "resource", "subresource", "scope")
_FLOW = ("priority_level", "flow_schema")
_EXECUTING = "apiserver_flowcontrol_current_executing"
_OF_LEVELS = (
    (f"{_EXECUTING}_requests", "Requests let in and not done.", "running"),
    (f"{_EXECUTING}_seats", "Seats in use.", "used"),
    ("apiserver_flowcontrol_current_inqueue_requests", "Requests that wait.", "waiting"),
)


class Exposition:
    """Tells what `requests`, `cache` and `gate` know, when asked."""

    def __init__(
        self,
        requests: RequestMetrics,
        cache: WatchCache,
        table: Table,
        gate: Gate | None,
        audit: LogFile | None = None,
        *,
        refusals: Refusals | None = None,
    ) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Collected(lambda: _of_requests(requests)))
        self._registry.register(_Collected(lambda: _of_storage(cache, table)))
        if gate is not None:
            self._registry.register(_Collected(lambda: _of_gate(gate)))
        if audit is not None:
            self._registry.register(_Collected(lambda: _of_audit(audit)))
        if refusals is not None:
            self._registry.register(_Collected(lambda: _of_refusals(refusals)))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def text(self, accept: str) -> tuple[bytes, str]:
        """The text, and its media type."""
        encode, media = exposition.choose_encoder(accept)
        return encode(self._registry), media


class _Collected(Collector):
    def __init__(self, collect: Callable[[], Iterator[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[Metric]:
        return self._collect()

    def describe(self) -> Iterable[Metric]:
        """Nothing: so that registering asks for no figures."""
        return ()


def _of_requests(requests: RequestMetrics) -> Iterator[Metric]:
    counted = CounterMetricFamily(
        "apiserver_request_total",
        "Requests answered, by verb, resource, scope and HTTP code.",
        labels=(*_KIND, "component", "code"),
    )
    for kind, durations in requests.took.items():
        for code, count in durations.codes.items():
            counted.add_metric([*_shown(kind), "apiserver", str(code)], count)
    yield counted
    took = HistogramMetricFamily(
        "apiserver_request_duration_seconds",
        "Time from a request's head to its answer, but for watches.",
        labels=(*_KIND, "component"),
    )
    for labels, durations in requests.took.items():
        if not any(durations.counts):
            continue  # watches
        sums = list(accumulate(durations.counts))
        bounds = [*(f"{bound:g}" for bound in BUCKETS), "+Inf"]
        named = [*_shown(labels), "apiserver"]
        took.add_metric(named, list(zip(bounds, sums, strict=True)), durations.total)
    yield took
    inflight = GaugeMetricFamily(
        "apiserver_current_inflight_requests",
        "Requests being carried out, by kind.",
        labels=("request_kind",),
    )
    inflight.add_metric(["mutating"], requests.mutating)
    inflight.add_metric(["readOnly"], requests.reading)
    yield inflight


def _shown(kind: Iterable[Any]) -> list[str]:
    verb, resource, version, subresource, scope = kind
    plural, _, group = resource.partition(".")
    return [verb.upper(), group, version, plural, subresource, scope]


def _of_refusals(refusals: Refusals) -> Iterator[Metric]:
    refused = CounterMetricFamily(
        "kubemu_apiserver_refused_total",
        "Requests, connections and watches refused, by reason.",
        labels=("reason",),
    )
    for reason, count in refusals.counts.items():
        refused.add_metric([reason], count)
    yield refused


def _of_storage(cache: WatchCache, table: Table) -> Iterator[Metric]:
    held = GaugeMetricFamily(
        "apiserver_storage_objects", "Objects stored, by resource.", labels=("resource",)
    )
    watched = GaugeMetricFamily(
        "apiserver_longrunning_requests",
        "Watches that are open, by resource.",
        labels=("verb", "group", "resource"),
    )
    for row in table:
        of = cache.of(row.id)
        held.add_metric([row.id], len(of))
        if of.watchers:
            watched.add_metric(["WATCH", row.group, row.plural], of.watchers)
    yield held
    yield watched
    revision = GaugeMetricFamily(
        "apiserver_watch_cache_resource_version", "Newest revision in the watch cache."
    )
    revision.add_metric([], cache.revision)
    yield revision


def _of_audit(audit: LogFile) -> Iterator[Metric]:
    events = CounterMetricFamily("apiserver_audit_event_total", "Audit events made.")
    events.add_metric([], audit.taken + audit.dropped)
    yield events
    lost = CounterMetricFamily(
        "apiserver_audit_error_total", "Audit events lost.", labels=("plugin",)
    )
    lost.add_metric(["log"], audit.dropped)
    yield lost


def _of_gate(gate: Gate) -> Iterator[Metric]:
    rejected = CounterMetricFamily(
        "apiserver_flowcontrol_rejected_requests_total",
        "Requests turned away.",
        labels=(*_FLOW, "reason"),
    )
    for (schema, level, reason), count in gate.rejected.items():
        rejected.add_metric([level, schema, reason], count)
    yield rejected
    dispatched = CounterMetricFamily(
        "apiserver_flowcontrol_dispatched_requests_total", "Requests let in.", labels=_FLOW
    )
    for (schema, level), let_in in gate.dispatched.items():
        dispatched.add_metric([level, schema], let_in[0])
    yield dispatched
    for name, told, attribute in _OF_LEVELS:
        family = GaugeMetricFamily(name, told, labels=("priority_level",))
        for level, state in gate.dispatcher.levels.items():
            family.add_metric([level], getattr(state, attribute))
        yield family
    nominal = GaugeMetricFamily(
        "apiserver_flowcontrol_nominal_limit_seats",
        "Seats that a level's shares come to.",
        labels=("priority_level",),
    )
    for level, state in gate.dispatcher.levels.items():
        nominal.add_metric([level], state.limit.nominal)
    yield nominal
