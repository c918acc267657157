"""How findings are worded, and how containers are gone through."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from cluster.api.objects import Object

_LISTS = ("initContainers", "containers", "ephemeralContainers")


class Finding(NamedTuple):
    """What a check has against a pod: `reason` is short, `detail` says where."""

    reason: str
    detail: str

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


def containers(spec: Object) -> Iterator[Object]:
    """All containers of a pod, in the order in which checks name them."""
    for kind in _LISTS:
        yield from spec.get(kind) or ()


def security(holder: Object) -> Object:
    """securityContext of a pod's spec or of a container, or an empty dict."""
    return holder.get("securityContext") or {}


def quoted(items: Iterable[Any]) -> str:
    """`"a", "b"`."""
    return ", ".join(f'"{item}"' for item in items)


def plural(one: str, many: str, count: int) -> str:
    """`one` for one."""
    return one if count == 1 else many


def named(bad: Sequence[Object]) -> str:
    """`container "a"`, `containers "a", "b"`."""
    return f"{plural('container', 'containers', len(bad))} {quoted(c.get('name') for c in bad)}"


def setters(pod: bool, bad: Sequence[Object]) -> str:
    """`pod and container "a"`: who set something."""
    return " and ".join([*(["pod"] if pod else []), *([named(bad)] if bad else [])])


def windows(spec: Object) -> bool:
    """Whether the pod says that it runs on Windows, where some fields mean nothing."""
    return (spec.get("os") or {}).get("name") == "windows"


def own_users(spec: Object) -> bool:
    """Whether the pod has a user namespace of its own, where root is nobody outside."""
    return spec.get("hostUsers") is False
