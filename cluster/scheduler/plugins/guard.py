"""A guard around a plugin of others: whatever it does wrong becomes the fault of one attempt.

Where an attempt is under way, a fault is raised as `Fault`, with the words in which Kubernetes
tells of it. Where none is (who may enter the queue, in which order, what may help), there is an
answer that does no harm, and the fault is logged. `guardedcalls` has the calls one by one.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Self

import msgspec
import numpy as np
import structlog

from cluster.api import objects
from cluster.scheduler.framework.events import Event, Hint, Occurrence
from cluster.scheduler.framework.points import MAX_NODE_SCORE, Reads
from cluster.scheduler.framework.status import Code, Status
from cluster.scheduler.nodes.cache import Listener
from cluster.scheduler.plugins.handle import Handle
from cluster.scheduler.pods import PodInfo

_LONGEST: Final = 500
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Fault(Exception):
    """A plugin could not do its work; the message names it."""


def told(fault: BaseException) -> str:
    """A fault in one line, with its type unless it is a `Fault`, which says all itself."""
    kind = "" if isinstance(fault, Fault) else f"{type(fault).__name__}: "
    text = " ".join(f"{kind}{fault}".split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


class GuardedHandle(Handle):
    """The handle that plugins of others have: their listeners are guarded as well."""

    owner = ""

    @classmethod
    def over(cls, handle: Handle, owner: str) -> Self:
        """A view of `handle` for the plugin `owner`."""
        made = cls(**{name: getattr(handle, name) for name in Handle.__dataclass_fields__})
        made.owner = owner
        return made

    def listen(self, listener: Listener) -> None:
        """Tell a listener; what it does not bear is logged."""
        self.cache.listen(_Listener(listener, self.owner))


class Guard:
    """What is done about the faults of one plugin."""

    def __init__(self, plugin: Any) -> None:
        self.plugin = plugin
        self.name: str = plugin.name
        self.normalizes = callable(getattr(plugin, "normalize", None))
        self._log = structlog.get_logger().bind(component="scheduler", plugin=self.name)

    def fault(self, point: str, why: str) -> Fault:
        """What to raise."""
        return Fault(f'running {point} plugin "{self.name}": {why}')

    def log(self, point: str, fault: BaseException) -> None:
        """Tell of a fault that fails no attempt."""
        self._log.warning("a plugin's fault", point=point, error=told(fault))

    def call(self, point: str, method: Callable[..., Any], *args: Any) -> Any:
        """What the method gives. Fault."""
        try:
            return method(*args)
        except (Exception, SystemExit) as fault:
            raise self.fault(point, told(fault)) from fault

    async def wait(self, point: str, method: Callable[..., Any], *args: Any) -> Status:
        """The verdict of a method that waits; its fault is an error."""
        try:
            found = await method(*args)
        except (Exception, SystemExit) as fault:  # noqa: BLE001
            return Status(Code.ERROR, (told(fault),), self.name)
        return (
            found if isinstance(found, Status) else Status(Code.ERROR, (no_such(found),), self.name)
        )

    def status(self, point: str, found: Any) -> Status:
        """A verdict; one that is an error is a fault, as everywhere in Kubernetes."""
        if not isinstance(found, Status):
            raise self.fault(point, no_such(found))
        if found.code is Code.ERROR:
            raise self.fault(point, found.message)
        return found

    def numbers(self, point: str, found: Any, size: int) -> Any:
        """A whole number for each of `size` rows."""
        try:
            values = np.asarray(found)
        except (Exception, SystemExit) as fault:
            raise self.fault(point, told(fault)) from fault
        if values.shape != (size,) or values.dtype.kind not in "biu":
            kind = f"{values.dtype} of shape {values.shape}"
            raise self.fault(point, f"it gave {kind}, not {size} whole numbers")
        return values.astype(np.int64)

    def scores(self, point: str, found: Any, size: int, *, last: bool) -> Any:
        """Scores, in their range where nothing normalizes them any more."""
        values = self.numbers(point, found, size)
        if last and size and not 0 <= values.min() <= values.max() <= MAX_NODE_SCORE:
            bad = values[(values < 0) | (values > MAX_NODE_SCORE)][0]
            raise Fault(
                f'plugin "{self.name}" returns an invalid score {bad}, it should in the range of '
                f"[0, {MAX_NODE_SCORE}] after normalizing"
            )
        return values

    def reads(self, found: Any) -> Reads:
        """What its verdicts depend on."""
        return Reads(found)

    def patience(self, found: Any) -> float:
        """Seconds that its PreBind may wait."""
        return float(found)

    def hints(self, found: Mapping[Event, Hint]) -> dict[Event, Hint]:
        """Hints; one that fails says that the event may help."""
        return {event: self._hint(hint) for event, hint in dict(found).items()}

    def _hint(self, hint: Hint) -> Hint:
        def ask(pod: PodInfo, occurrence: Occurrence) -> bool:
            try:
                return bool(hint(pod, occurrence))
            except (Exception, SystemExit) as fault:  # noqa: BLE001
                self.log("QueueingHint", fault)
                return True

        return ask


def no_such(found: Any, wanted: str = "a Status") -> str:
    """What is wrong with a value of another type than `wanted`."""
    return f"it gave {type(found).__name__}, not {wanted}"


class _Listener:
    """A listener that cannot disturb the cache."""

    def __init__(self, listener: Listener, owner: str) -> None:
        self._listener = listener
        self._log = structlog.get_logger().bind(component="scheduler", plugin=owner)

    def placed(self, pod: PodInfo, node: str) -> None:
        """A pod counts on a node now."""
        self._tell(self._listener.placed, pod, node)

    def removed(self, pod: PodInfo, node: str) -> None:
        """It does not any more."""
        self._tell(self._listener.removed, pod, node)

    def node_set(self, old: objects.Object | None, node: objects.Object, row: int) -> None:
        """A node appeared or changed."""
        self._tell(self._listener.node_set, old, node, row)

    def node_removed(self, node: objects.Object, row: int) -> None:
        """A node is gone."""
        self._tell(self._listener.node_removed, node, row)

    def _tell(self, method: Callable[..., None], *args: Any) -> None:
        try:
            method(*args)
        except (Exception, SystemExit) as fault:  # noqa: BLE001
            self._log.warning("a plugin's fault", point="listener", error=told(fault))
