"""Priority: the number behind a pod's priorityClassName."""

from dataclasses import dataclass
from typing import Any, ClassVar

from cluster.api import errors, objects
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.watchcache import events
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.watchcache.events import Event

_PREEMPT = "PreemptLowerPriority"
_KEPT = ("priority", "preemptionPolicy")
_WRITES = (Act.CREATE, Act.UPDATE)


@dataclass(frozen=True, slots=True)
class _Class:
    value: int
    policy: str
    default: bool


class Priority(Plugin):
    """Sets spec.priority and spec.preemptionPolicy of new pods by their priority class, and lets
    one class at most be the default.
    """

    name: ClassVar[str] = "Priority"
    resources: ClassVar[tuple[str, ...]] = ("pods", "priorityclasses.scheduling.k8s.io")

    def __init__(self) -> None:
        self._classes: dict[str, _Class] = {}

    def open(self, cache: WatchCache) -> None:
        """Follow the priority classes."""
        cache.of("priorityclasses.scheduling.k8s.io").observe(self._follow)

    def mutate(self, request: Request) -> None:
        """errors.Forbidden where a class is unknown or contradicts the pod."""
        if request.row.id != "pods" or request.subresource:
            return
        if request.act is Act.CREATE:
            self._admit_pod(request)
        elif request.act is Act.UPDATE and request.old is not None:
            _keep(request.object.setdefault("spec", {}), objects.spec(request.old))

    def validate(self, request: Request) -> None:
        """errors.Forbidden where there would be two default classes."""
        if request.row.id == "pods" or request.act not in _WRITES:
            return
        if request.object.get("globalDefault"):
            self._check_default(request)

    def _admit_pod(self, request: Request) -> None:
        spec = request.object.setdefault("spec", {})
        name = spec.get("priorityClassName") or ""
        found: _Class | None
        if name:
            found = self._classes.get(name)
            if found is None:
                raise _refusal(request, f"no PriorityClass with name {name} was found")
        else:
            name, found = self._default()
            if name:
                spec["priorityClassName"] = name
        _settle(request, spec, found)

    def _default(self) -> tuple[str, _Class]:
        """The default class; of several, the one of the lowest value, as Kubernetes takes it."""
        marked = [(found.value, name) for name, found in self._classes.items() if found.default]
        if not marked:
            return "", _Class(0, _PREEMPT, False)
        _, name = min(marked)
        return name, self._classes[name]

    def _check_default(self, request: Request) -> None:
        for name, found in self._classes.items():
            if found.default and name != objects.name(request.object):
                why = (
                    f"PriorityClass {name} is already marked as default. Only one default can exist"
                )
                raise _refusal(request, why)

    def _follow(self, event: Event) -> None:
        if event.type == events.DELETED and event.previous is not None:
            self._classes.pop(event.previous.name, None)
        elif event.entry is not None:
            obj = event.entry.document()
            self._classes[event.entry.name] = _Class(
                obj.get("value") or 0,
                obj.get("preemptionPolicy") or _PREEMPT,
                bool(obj.get("globalDefault")),
            )


def _keep(spec: dict[str, Any], old: dict[str, Any]) -> None:
    """An update that is silent about a pod's priority keeps it."""
    for field in _KEPT:
        if field in old and field not in spec:
            spec[field] = old[field]


def _settle(request: Request, spec: dict[str, Any], found: _Class) -> None:
    said = spec.get("priority")
    if said is not None and said != found.value:
        raise _refusal(
            request,
            f"the integer value of priority ({said}) must not be provided in pod spec; priority "
            f"admission controller computed {found.value} from the given PriorityClass name",
        )
    policy = spec.get("preemptionPolicy")
    if policy is not None and policy != found.policy:
        raise _refusal(
            request,
            f"the string value of PreemptionPolicy ({policy}) must not be provided in pod spec; "
            f"priority admission controller computed {found.policy} from the given PriorityClass "
            "name",
        )
    spec["priority"] = found.value
    spec["preemptionPolicy"] = found.policy


def _refusal(request: Request, why: str) -> errors.Forbidden:
    return errors.forbidden(request.row.id, objects.name(request.object), why)
