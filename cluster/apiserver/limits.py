"""What one client, or all of them, may take of an API server; and what was refused for that.

Bounds that Kubernetes has have its values: 32 s for the head of a request
(ReadHeaderTimeout in k8s.io/apiserver/pkg/server/secure_serving.go), a minute for its body
(--request-timeout). It has none on connections and watches.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog

from cluster.api import errors, identity

QUIET_SECONDS: Final = 10.0
"""A reason is logged once in this time; what came between is told as a number."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and counts; 0 connections or watches: no bound. ValueError."""

    head_seconds: float = 32.0
    body_seconds: float = 60.0
    connections: int = 10_000
    watches: int = 100_000
    watches_of_one: int = 50_000
    streams: int = 1000
    """Calls of one connection of gRPC at a time."""

    def __post_init__(self) -> None:
        if min(self.head_seconds, self.body_seconds) <= 0:
            raise ValueError("the time for a request must be positive")
        if min(self.connections, self.watches, self.watches_of_one, self.streams) < 0:
            raise ValueError("a bound of connections, watches or streams must not be negative")


class Refusals:
    """Counts by reason what was refused, and logs it without letting anybody fill the log.

    Reasons are few and ours: nothing that a client chooses becomes one.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._told: dict[str, tuple[float, int]] = {}
        self._log = structlog.get_logger().bind(component="apiserver")

    def note(self, reason: str, peer: Any = None) -> None:
        """Something was refused for `reason`, of a client at `peer`."""
        count = self.counts[reason] = self.counts.get(reason, 0) + 1
        now = asyncio.get_running_loop().time()
        told = self._told.get(reason)
        if told is not None and now - told[0] < QUIET_SECONDS:
            return
        self._told[reason] = now, count
        more = {} if told is None or count == told[1] + 1 else {"since_last": count - told[1]}
        self._log.warning("refused", reason=reason, peer=_shown(peer), **more)


class WatchBounds:
    """Counts watches that are open, of each user and of all."""

    def __init__(self, limits: Limits, refusals: Refusals) -> None:
        self._limits = limits
        self._refusals = refusals
        self._of: dict[str, int] = {}
        self.open = 0

    def enter(self, user: identity.User) -> Callable[[], None]:
        """A watch of `user` begins; call the answer once, at its end. errors.TooManyRequests."""
        held = self._of.get(user.name, 0)
        most, mine = self._limits.watches, self._limits.watches_of_one
        if (most and self.open >= most) or (mine and held >= mine):
            self._refusals.note("too many watches", user.name)
            raise errors.TooManyRequests(
                "too many watches are open: try again later", retry_after=1
            )
        self._of[user.name] = held + 1
        self.open += 1

        def leave() -> None:
            self.open -= 1
            left = self._of[user.name] - 1
            if left:
                self._of[user.name] = left
            else:
                del self._of[user.name]

        return leave


def unbounded() -> WatchBounds:
    """For a registry without a server: any number of watches."""
    return WatchBounds(Limits(watches=0, watches_of_one=0), Refusals())


def _shown(peer: Any) -> str:
    if isinstance(peer, tuple) and len(peer) >= 2:
        return f"{peer[0]}:{peer[1]}"
    return str(peer or "")
