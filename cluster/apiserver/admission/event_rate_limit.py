"""EventRateLimit: a flood of events does not fill the store.

Configuration: eventratelimit.admission.k8s.io/v1alpha1 Configuration.
Source: k8s.io/kubernetes plugin/pkg/admission/eventratelimit.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from cluster.api import errors, objects
from cluster.apiserver.admission.plugin import Act, Plugin, Request

TYPES: Final = ("Server", "Namespace", "User", "SourceAndObject")
DEFAULT_CACHE: Final = 4096
_SECOND: Final = 1


@dataclass(frozen=True, slots=True)
class Limit:
    """So many events a second, and `burst` at once, for each of what `type` tells apart; `cache`
    of them are remembered. ValueError.
    """

    type: str
    qps: int
    burst: int
    cache: int = DEFAULT_CACHE

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise ValueError(f"limits.type {self.type!r} is not one of {', '.join(TYPES)}")
        if min(self.qps, self.burst) <= 0 or self.cache <= 0:
            raise ValueError("limits.qps, limits.burst and limits.cacheSize must be positive")


class _Buckets:
    """Token buckets by key; the one that was used the longest ago makes room."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, now: float) -> bool:
        """Whether there was a token left."""
        tokens, since = self._held.pop(key, (float(self.limit.burst), now))
        tokens = min(float(self.limit.burst), tokens + max(0.0, now - since) * self.limit.qps)
        allowed = tokens >= _SECOND
        self._held[key] = (tokens - _SECOND if allowed else tokens, now)
        if len(self._held) > self.limit.cache:
            self._held.popitem(last=False)
        return allowed


class EventRateLimit(Plugin):
    """Refuses events beyond the limits, with 429."""

    name: ClassVar[str] = "EventRateLimit"
    resources: ClassVar[tuple[str, ...]] = ("events", "events.events.k8s.io")

    def __init__(self, *limits: Limit) -> None:
        self._buckets = [_Buckets(limit) for limit in limits]

    @classmethod
    def configured(cls, document: Any) -> Self:
        """By its part of the admission configuration. ValueError."""
        listed = (document or {}).get("limits")
        if not isinstance(listed, list) or not listed:
            raise ValueError("EventRateLimit: limits must be given in its configuration")
        limits = []
        for each in listed:
            if not isinstance(each, dict):
                raise ValueError("EventRateLimit: each of limits must be an object")  # noqa: TRY004
            amounts = [each.get("qps", 0), each.get("burst", 0), each.get("cacheSize") or 4096]
            if not all(isinstance(amount, int) for amount in amounts):
                raise ValueError("EventRateLimit: qps, burst and cacheSize must be integers")
            limits.append(Limit(str(each.get("type")), *amounts))
        return cls(*limits)

    def validate(self, request: Request) -> None:
        """errors.TooManyRequests."""
        if request.act not in (Act.CREATE, Act.UPDATE) or request.call.operation.dry_run:
            return
        reached = [
            f"limit reached on type {buckets.limit.type} for key {key}"
            for buckets in self._buckets
            if not buckets.take(key := _key(buckets.limit.type, request), request.call.now)
        ]
        if reached:
            text = reached[0] if len(reached) == 1 else f"[{', '.join(reached)}]"
            raise errors.TooManyRequests(text)


def _key(kind: str, request: Request) -> str:
    if kind == "Server":
        return ""
    if kind == "Namespace":
        return request.call.namespace
    if kind == "User":
        return request.call.user.name
    event = request.object
    source: Any = event.get("source") or event.get("deprecatedSource") or {}
    about: Any = event.get("involvedObject") or event.get("regarding") or {}
    parts = [source.get("component"), source.get("host")]
    parts += [about.get(f) for f in ("kind", "namespace", "name", "uid", "apiVersion")]
    return "".join(str(part or "") for part in parts) or objects.name(event)
