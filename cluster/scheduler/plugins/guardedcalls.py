"""The calls of a guarded plugin, one by one; see `guard`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec

from cluster.scheduler.framework import points
from cluster.scheduler.framework.points import UNIQUE, Plugin
from cluster.scheduler.framework.status import Code, Status
from cluster.scheduler.plugins.guard import Guard, no_such, told
from cluster.scheduler.pods import PodInfo

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def guarded(plugin: Any) -> Plugin:
    """The same plugin at the same points, guarded. ValueError where it is not built rightly."""
    guard = Guard(plugin)
    made: Any = _Outside()
    made.name = guard.name
    for name, wrap in _METHODS.items():
        if callable(getattr(plugin, name, None)):
            setattr(made, name, wrap(guard, getattr(plugin, name)))
    for name in ("reads", "hints", "patience"):
        if hasattr(plugin, name):
            setattr(made, name, getattr(guard, name)(getattr(plugin, name)))
    _complete(made)
    return made  # type: ignore[no-any-return]


class _Outside:
    """A guarded plugin: its attributes are set one by one."""

    name: str


Wrap = Callable[[Guard, Callable[..., Any]], Callable[..., Any]]


def _sign(guard: Guard, method: Callable[..., Any]) -> Callable[..., Any]:
    def sign(pod: PodInfo) -> Any:
        found = guard.call("Sign", method, pod)
        if found == UNIQUE:
            return UNIQUE
        return guard.call("Sign", lambda value: _decode(_encode(value)), found)

    return sign


def _pre_enqueue(guard: Guard, method: Callable[..., Any]) -> Callable[..., Any]:
    def pre_enqueue(pod: PodInfo) -> Status:
        try:
            found = method(pod)
        except (Exception, SystemExit) as fault:  # noqa: BLE001
            guard.log("PreEnqueue", fault)
            return Status(Code.ERROR, (told(fault),))
        return found if isinstance(found, Status) else Status(Code.ERROR, (no_such(found),))

    return pre_enqueue


def _sort_key(guard: Guard, method: Callable[..., Any]) -> Callable[..., Any]:
    def sort_key(pod: PodInfo, since: float) -> tuple[Any, ...]:
        plain = (-pod.priority, since)
        try:
            return (_Rank(method(pod, since), plain),)
        except (Exception, SystemExit) as fault:  # noqa: BLE001
            guard.log("QueueSort", fault)
            return (_Rank(None, plain),)

    return sort_key


class _Rank:
    """A place in the queue; those that cannot be compared go by priority and time."""

    __slots__ = ("_plain", "_wanted")

    def __init__(self, wanted: Any, plain: tuple[int, float]) -> None:
        self._wanted = wanted
        self._plain = plain

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Rank) and not self < other and not other < self

    __hash__ = None  # type: ignore[assignment]

    def __lt__(self, other: "_Rank") -> bool:
        try:
            return bool(self._wanted < other._wanted)
        except Exception:  # noqa: BLE001 - of different kinds, or None after a fault
            return self._plain < other._plain


def _pre_filter(guard: Guard, method: Callable[..., Any]) -> Callable[..., Any]:
    def pre_filter(*args: Any) -> Any:
        found = guard.call("PreFilter", method, *args)
        if not isinstance(found, tuple) or len(found) != 2:
            raise guard.fault("PreFilter", no_such(found, "a Status and names, or None"))
        status, names = found
        named = None if names is None else guard.call("PreFilter", frozenset, names)
        return guard.status("PreFilter", status), named

    return pre_filter


def _filter(guard: Guard, method: Callable[..., Any]) -> Callable[..., Any]:
    def judge(state: Any, pod: Any, nodes: Any, rows: Any) -> Any:
        found = guard.call("Filter", method, state, pod, nodes, rows)
        return guard.numbers("Filter", found, len(rows))

    return judge


def _verdict(guard: Guard, method: Callable[..., Any]) -> Callable[..., Any]:
    def verdict(*args: Any) -> Status:
        found = guard.status("Filter", guard.call("Filter", method, *args))
        if not found.rejected:
            raise guard.fault("Filter", f"its verdict on a node it refused is {found.code.value}")
        return replace(found, reasons=tuple(str(one) for one in found.reasons))

    return verdict


def _post_filter(guard: Guard, method: Callable[..., Any]) -> Callable[..., Any]:
    def post_filter(*args: Any) -> Any:
        found = guard.call("PostFilter", method, *args)
        if not isinstance(found, tuple) or len(found) != 2:
            raise guard.fault("PostFilter", no_such(found, "a Status and a PostFilterResult"))
        status, result = found
        if not isinstance(result, points.PostFilterResult):
            raise guard.fault("PostFilter", no_such(result, "a PostFilterResult"))
        return guard.status("PostFilter", status), result

    return post_filter


def _pre_score(guard: Guard, method: Callable[..., Any]) -> Callable[..., Any]:
    def pre_score(*args: Any) -> Status:
        found = guard.status("PreScore", guard.call("PreScore", method, *args))
        if not found.ok:
            raise guard.fault("PreScore", found.message)
        return found

    return pre_score


def _score(guard: Guard, method: Callable[..., Any]) -> Callable[..., Any]:
    def score(state: Any, pod: Any, nodes: Any, rows: Any) -> Any:
        found = guard.call("Score", method, state, pod, nodes, rows)
        return guard.scores("Score", found, len(rows), last=not guard.normalizes)

    return score


def _normalize(guard: Guard, method: Callable[..., Any]) -> Callable[..., Any]:
    def normalize(scores: Any) -> Any:
        found = guard.call("Score", method, scores)
        return guard.scores("Score", found, len(scores), last=True)

    return normalize


def _reserve(guard: Guard, method: Callable[..., Any]) -> Callable[..., Any]:
    def reserve(*args: Any) -> Status:
        try:
            found = method(*args)
        except (Exception, SystemExit) as fault:  # noqa: BLE001
            return Status(Code.ERROR, (f'running Reserve plugin "{guard.name}": {told(fault)}',))
        return found if isinstance(found, Status) else Status(Code.ERROR, (no_such(found),))

    return reserve


def _quiet(point: str) -> Wrap:
    """A call whose fault changes nothing any more."""

    def wrap(guard: Guard, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> None:
            try:
                method(*args)
            except (Exception, SystemExit) as fault:  # noqa: BLE001
                guard.log(point, fault)

        return call

    return wrap


def _waits(guard: Guard, method: Callable[..., Any]) -> Callable[..., Any]:
    def waits(state: Any) -> bool:
        return bool(guard.call("PreBind", method, state))

    return waits


def _waiting(point: str) -> Wrap:
    """A call that may wait."""

    def wrap(guard: Guard, method: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any) -> Status:
            return await guard.wait(point, method, *args)

        return call

    return wrap


_METHODS: Final[Mapping[str, Wrap]] = {
    "sign": _sign,
    "pre_enqueue": _pre_enqueue,
    "sort_key": _sort_key,
    "pre_filter": _pre_filter,
    "filter": _filter,
    "verdict": _verdict,
    "post_filter": _post_filter,
    "pre_score": _pre_score,
    "score": _score,
    "normalize": _normalize,
    "reserve": _reserve,
    "unreserve": _quiet("Unreserve"),
    "permit": _waiting("Permit"),
    "pre_bind": _waiting("PreBind"),
    "waits": _waits,
    "bind": _waiting("Bind"),
    "post_bind": _quiet("PostBind"),
}


def _complete(made: Any) -> None:
    """ValueError for a point that is there by half: it would never be asked, without a word."""
    for pair in (("filter", "verdict"), ("reserve", "unreserve")):
        if sum(hasattr(made, name) for name in pair) == 1:
            raise ValueError(f'plugin "{made.name}" needs both {pair[0]} and {pair[1]}')
    for name in ("filter", "score"):
        if hasattr(made, name) and not hasattr(made, "reads"):
            raise ValueError(f'plugin "{made.name}" has {name}, so it must say what it reads')
