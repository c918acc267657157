"""What CoreDNS counts, in the words of its prometheus plugin."""

from collections.abc import Iterator, Sequence
from typing import Final

_BUCKETS: Final = tuple(0.00025 * 2**power for power in range(16))
_SIZES: Final = (0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000)
_MAX_SERIES: Final = 5000
Labels = tuple[tuple[str, str], ...]


class Histogram:
    """Counts by upper bound."""

    __slots__ = ("bounds", "buckets", "count", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.buckets = [0] * len(bounds)
        self.count = 0
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.count += 1
        self.total += value
        for at, bound in enumerate(self.bounds):
            if value <= bound:
                self.buckets[at] += 1
                return

    def lines(self, name: str, labels: Labels) -> Iterator[str]:
        """Its lines in the text format."""
        so_far = 0
        for bound, count in zip(self.bounds, self.buckets, strict=True):
            so_far += count
            yield f"{name}_bucket{_shown((*labels, ('le', f'{bound:g}')))} {so_far}"
        yield f"{name}_bucket{_shown((*labels, ('le', '+Inf')))} {self.count}"
        yield f"{name}_sum{_shown(labels)} {self.total:g}"
        yield f"{name}_count{_shown(labels)} {self.count}"


_HELP: Final = {
    "coredns_build_info": "A metric with a constant '1' value labeled by version, revision, and "
    "goversion from which CoreDNS was built.",
    "coredns_cache_entries": "The number of elements in the cache.",
    "coredns_cache_hits_total": "The count of cache hits.",
    "coredns_cache_misses_total": "The count of cache misses. Deprecated, derive misses from cache "
    "hits/requests counters.",
    "coredns_cache_requests_total": "The count of cache requests.",
    "coredns_dns_request_duration_seconds": "Histogram of the time (in seconds) each request took "
    "per zone.",
    "coredns_dns_request_size_bytes": "Size of the EDNS0 UDP buffer in bytes (64K for TCP) per "
    "zone and protocol.",
    "coredns_dns_requests_total": "Counter of DNS requests made per zone, protocol and family.",
    "coredns_dns_response_size_bytes": "Size of the returned response in bytes.",
    "coredns_dns_responses_total": "Counter of response status codes.",
    "coredns_forward_healthcheck_broken_total": "Counter of the number of complete failures of "
    "the healthchecks.",
    "coredns_forward_max_concurrent_rejects_total": "Counter of the number of queries rejected "
    "because the concurrent queries were at maximum.",
    "coredns_health_request_duration_seconds": "Histogram of the time (in seconds) each request "
    "took.",
    "coredns_hosts_entries": "The combined number of entries in hosts and Corefile.",
    "coredns_panics_total": "A metrics that counts the number of panics.",
    "coredns_plugin_enabled": "A metric that indicates whether a plugin is enabled on per server "
    "and zone basis.",
    "coredns_proxy_request_duration_seconds": "Histogram of the time each request took.",
    "coredns_reload_failed_total": "Counter of the number of failed reload attempts.",
}


class Metrics:
    """Counters, gauges and histograms by name and labels. What would be too many is not kept."""

    def __init__(self) -> None:
        self._numbers: dict[str, dict[Labels, float]] = {}
        self._histograms: dict[str, dict[Labels, Histogram]] = {}
        self._gauges: set[str] = set()
        self._series = 0

    def count(self, name: str, labels: Labels = (), by: float = 1) -> None:
        """Add to a counter."""
        series = self._numbers.setdefault(name, {})
        if labels not in series:
            if self._series >= _MAX_SERIES:
                return
            self._series += 1
        series[labels] = series.get(labels, 0) + by

    def set(self, name: str, value: float, labels: Labels = ()) -> None:
        """Set a gauge."""
        self._gauges.add(name)
        self._numbers.setdefault(name, {})[labels] = value

    def forget(self, name: str) -> None:
        """Drop all of a gauge."""
        self._numbers.pop(name, None)

    def time(self, name: str, seconds: float, labels: Labels = ()) -> None:
        """Count a duration."""
        self._histogram(name, labels, _BUCKETS).add(seconds)

    def size(self, name: str, value: float, labels: Labels = ()) -> None:
        """Count a size in bytes."""
        self._histogram(name, labels, _SIZES).add(value)

    def _histogram(self, name: str, labels: Labels, bounds: Sequence[float]) -> Histogram:
        series = self._histograms.setdefault(name, {})
        found = series.get(labels)
        if found is None:
            found = Histogram(bounds)
            if self._series < _MAX_SERIES:
                self._series += 1
                series[labels] = found
        return found

    def text(self) -> str:
        """All of it, in Prometheus' text format."""
        lines: list[str] = []
        for name in sorted({*self._numbers, *self._histograms}):
            kind = "gauge" if name in self._gauges else "counter"
            kind = "histogram" if name in self._histograms else kind
            lines.append(f"# HELP {name} {_HELP.get(name, name)}")
            lines.append(f"# TYPE {name} {kind}")
            for labels, value in sorted(self._numbers.get(name, {}).items()):
                lines.append(f"{name}{_shown(labels)} {value:g}")
            for labels, histogram in sorted(self._histograms.get(name, {}).items()):
                lines += histogram.lines(name, labels)
        return "\n".join(lines) + "\n"


def _shown(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = (f'{key}="{_escaped(value)}"' for key, value in labels)
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
