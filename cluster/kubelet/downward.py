"""What a pod's containers may know of the pod: fields of the downward API. Pure.

Sources: pkg/fieldpath, and podFieldSelectorRuntimeValue of pkg/kubelet.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cluster.api import objects, quantity
from cluster.api.objects import Object

_SUBSCRIPT: Final = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]", re.DOTALL)
_MAPS: Final = ("metadata.labels", "metadata.annotations")


@dataclass(frozen=True, slots=True)
class Node:
    """What a pod may be told of where it is. `allocatable` stands in for limits that are not set:
    by resource, amounts as Kubernetes writes them.
    """

    pod_ips: tuple[str, ...] = ()
    host_ips: tuple[str, ...] = ()
    allocatable: tuple[tuple[str, str], ...] = ()


NOWHERE: Final = Node()


def field(pod: Object, path: str, node: Node = NOWHERE) -> str | None:
    """The text of a field such as `metadata.labels['app']`; None for one that is not known.

    A label or annotation that the pod does not have is "".
    """
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript is not None:
        return str((objects.meta(pod).get(subscript[1]) or {}).get(subscript[2]) or "")
    part, _, name = path.partition(".")
    if part == "metadata" and name in ("name", "namespace", "uid"):
        return str(objects.meta(pod).get(name) or "")
    if path in _MAPS:
        return _lines(objects.meta(pod).get(name) or {})
    if part == "spec" and name in ("nodeName", "serviceAccountName"):
        return str(objects.spec(pod).get(name) or "")
    return _address(path, node)


def _address(path: str, node: Node) -> str | None:
    addresses = {"status.podIP": node.pod_ips, "status.hostIP": node.host_ips}.get(path)
    if addresses is not None:
        return addresses[0] if addresses else ""
    addresses = {"status.podIPs": node.pod_ips, "status.hostIPs": node.host_ips}.get(path)
    return None if addresses is None else ",".join(addresses)


def _lines(values: Mapping[str, str]) -> str:
    """`key="value"`, a line each, sorted; the value as Go quotes it."""
    return "\n".join(f"{key}={_quoted(values[key])}" for key in sorted(values))


_ESCAPES: Final = {
    "\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v",
    "\\": r"\\", '"': r"\"",
}  # fmt: skip


def _quoted(text: str) -> str:
    """As `strconv.Quote`."""
    made = []
    for letter in text:
        if letter in _ESCAPES:
            made.append(_ESCAPES[letter])
        elif letter.isprintable():
            made.append(letter)
        else:
            code = ord(letter)
            made.append(f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}")
    return '"' + "".join(made) + '"'


def resource(pod: Object, source: Mapping[str, Any], own: Mapping[str, Any], node: Node) -> str:
    """What a container asks for or is limited to, in whole divisors, rounded up. ValueError.

    `own` is the container that asks, where the source names none.
    """
    container = own
    name = source.get("containerName")
    if name:
        found = _container(pod, name)
        if found is None:
            raise ValueError(f"container {name} not found")
        container = found
    path = source.get("resource") or ""
    kind, _, what = path.partition(".")
    if kind not in ("limits", "requests") or not what:
        raise ValueError(f"unsupported container resource : {path}")
    amounts = (container.get("resources") or {}).get(kind) or {}
    amount = amounts.get(what)
    if amount is None:
        amount = dict(node.allocatable).get(what, "0") if kind == "limits" else "0"
    divisor = source.get("divisor") or "1"
    measure = quantity.milli if what == "cpu" else quantity.value
    parts = measure(divisor) or measure("1")
    return str(-(-measure(amount) // parts))


def _container(pod: Object, name: str) -> Object | None:
    spec = objects.spec(pod)
    for one in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        if one.get("name") == name:
            found: Object = one
            return found
    return None
