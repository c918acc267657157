"""custom.metrics.k8s.io and external.metrics.k8s.io of a cluster in which nobody else serves them.

What an adapter for Prometheus would tell, annotations tell here: `kubemu.dev/metric.NAME` on a pod
or any other object is its metric NAME, `kubemu.dev/external-metric.NAME` on a Namespace is an
external metric of that namespace. A value is an amount, or a curve over the age of its object.

The groups are in no discovery document, for a cluster without an adapter has none: they answer
where somebody asks for a metric that some object has, and are not there otherwise. An APIService
for a group takes the whole group over.

Source of the paths and forms: k8s.io/metrics/pkg/apis (v1beta1, v1beta2).
"""

import functools
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Final
from urllib.parse import unquote

import msgspec
import structlog

from cluster.aio.clock import Clock
from cluster.api import curves, errors, quantity, selectors, timestamps
from cluster.api.objects import Object
from cluster.api.resources import Resource, Table
from cluster.apiserver import codec
from cluster.apiserver.rest.paths import NOT_FOUND
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.watchcache.entry import Entry
from cluster.apiserver.watchcache.selection import Selection

CUSTOM: Final = "custom.metrics.k8s.io"
EXTERNAL: Final = "external.metrics.k8s.io"
METRIC: Final = "kubemu.dev/metric."
EXTERNAL_METRIC: Final = "kubemu.dev/external-metric."
_VERSIONS: Final = {CUSTOM: ("v1beta2", "v1beta1"), EXTERNAL: ("v1beta1",)}
_PARTS: Final = 1000
_Value = tuple[Entry, Fraction]


class _Meta(msgspec.Struct):
    creationTimestamp: str = ""
    annotations: dict[str, str] | None = None


class _Annotated(msgspec.Struct):
    metadata: _Meta


_annotated = msgspec.json.Decoder(_Annotated).decode


@functools.lru_cache(1024)
def group_of(path: str) -> str:
    """The group of metrics that a path lies in, "" for other paths."""
    parts = path.split("/", 4)
    if len(parts) < 5 or parts[1] != "apis" or parts[3] not in _VERSIONS.get(parts[2], ()):
        return ""
    return parts[2]


class Metrics:
    """The metrics that annotations give."""

    def __init__(self, table: Table, cache: WatchCache, clock: Clock) -> None:
        self._table = table
        self._cache = cache
        self._clock = clock
        self._log = structlog.get_logger().bind(component="apiserver")

    def read(self, path: str, asked: Mapping[str, str]) -> bytes:
        """The answer to a GET. errors.NotFound, errors.BadRequest."""
        _, _, group, version, *rest = (unquote(part) for part in path.split("/"))
        if group == EXTERNAL:
            return self._external(version, rest, asked)
        match rest:
            case ["namespaces", space, "metrics", metric]:
                return self._custom(version, ("namespaces", "", space, metric), asked)
            case ["namespaces", space, resource, name, metric]:
                return self._custom(version, (resource, space, name, metric), asked)
            case [resource, name, metric]:
                return self._custom(version, (resource, "", name, metric), asked)
        raise errors.NotFound(NOT_FOUND)

    def _custom(
        self, version: str, place: tuple[str, str, str, str], asked: Mapping[str, str]
    ) -> bytes:
        """`place`: resource, namespace, name (`*`: those that labelSelector selects), metric."""
        resource, space, name, metric = place
        row = self._table.get(resource)
        if row is None or row.namespaced != bool(space) or not row.serves("watch"):
            raise errors.NotFound(NOT_FOUND)
        stored = self._table.stored(row).id
        entries: Iterable[Entry]
        if name == "*":
            labels = selectors.parse_labels(asked.get("labelSelector", ""))
            entries = self._cache.of(stored).select(Selection(space, labels))
        else:
            found = self._cache.get(stored, space, name)
            entries = (found,) if found is not None else ()
        values = []
        if _matches(asked.get("metricLabelSelector", "")):
            values = list(self._values(entries, METRIC + metric))
        if not values:
            raise errors.NotFound(NOT_FOUND)
        now = timestamps.encode(self._clock.now())
        items = [_custom_item(version, row, value, metric, now) for value in values]
        return _list("MetricValueList", f"{CUSTOM}/{version}", items)

    def _external(self, version: str, rest: list[str], asked: Mapping[str, str]) -> bytes:
        if len(rest) != 3 or rest[0] != "namespaces":
            raise errors.NotFound(NOT_FOUND)
        _, space, metric = rest
        namespace = self._cache.get("namespaces", "", space)
        values: list[_Value] = []
        if namespace is not None and _matches(asked.get("labelSelector", "")):
            values = list(self._values((namespace,), EXTERNAL_METRIC + metric))
        if not values:
            raise errors.NotFound(NOT_FOUND)
        now = timestamps.encode(self._clock.now())
        items = [
            {
                "metricName": metric,
                "metricLabels": {},
                "timestamp": now,
                "value": quantity.format(amount),
            }
            for _, amount in values
        ]
        return _list("ExternalMetricValueList", f"{EXTERNAL}/{version}", items)

    def _values(self, entries: Iterable[Entry], annotation: str) -> Iterator[_Value]:
        """The metric of each object that has it. One that cannot be read is left out, and told."""
        now = self._clock.now()
        for entry in entries:
            meta = _annotated(entry.json).metadata
            text = (meta.annotations or {}).get(annotation)
            if text is None:
                continue
            try:
                curve = curves.parse(text, _PARTS)
                age = now - timestamps.decode(meta.creationTimestamp)
            except (ValueError, OverflowError) as error:
                self._log.warning(
                    "a metric cannot be read", object=entry.key, annotation=annotation,
                    error=str(error),
                )  # fmt: skip
                continue
            yield entry, Fraction(round(curve.at(max(age, 0.0))), _PARTS)


def _matches(selector: str) -> bool:
    """Whether metrics of annotations, which have no labels, are selected. errors.BadRequest."""
    return not selector or selectors.parse_labels(selector).matches({})


def _custom_item(version: str, row: Resource, value: _Value, metric: str, now: str) -> Object:
    entry, amount = value
    described = {
        "kind": row.kind,
        "namespace": entry.namespace,
        "name": entry.name,
        "apiVersion": row.api_version,
    }
    item: Object = {"describedObject": {key: text for key, text in described.items() if text}}
    if version == "v1beta1":
        item["metricName"] = metric
    else:
        item["metric"] = {"name": metric}
    return item | {"timestamp": now, "value": quantity.format(amount)}


def _list(kind: str, api_version: str, items: list[Object]) -> bytes:
    found = {"kind": kind, "apiVersion": api_version, "metadata": {}, "items": items}
    return codec.document(found)
