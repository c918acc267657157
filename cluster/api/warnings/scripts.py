"""Annotations of kubemu's own that say nothing: misspelt, of containers that are not there, or on
the wrong object (docs/annotations.md).
"""

from collections.abc import Collection, Mapping
from typing import Final

from cluster.api import loads
from cluster.api.objects import Object

PREFIX: Final = "kubemu.dev/"
_OF_CONTAINERS: Final = (loads.CPU_PER_LOAD, loads.MEMORY_PER_LOAD)
"""Beside those of `scriptvalues`, which images can have, too."""
_OF_PODS: Final = ("boot-time", "driver", "load-from", "pids")
_OF_WORKLOADS: Final = ("load",)
_METRIC: Final = "metric."
_LISTS: Final = ("initContainers", "containers", "ephemeralContainers")


def of_pod(at: str, annotations: Mapping[str, str], spec: Object) -> list[str]:
    """Warnings about the annotations at `at` of a pod with this spec."""
    told = [key for key in annotations if key.startswith(PREFIX)]
    found: list[str] = []
    for key in told:
        what = key[len(PREFIX) :]
        if not what.startswith(_METRIC) and (why := _odd(what, annotations[key], spec)):
            found.append(f"{at}[{key}]: {why}")
    return found


def of_workload(annotations: Mapping[str, str]) -> list[str]:
    """Warnings about the annotations of an object that makes pods by a template."""
    found: list[str] = []
    for key in annotations:
        what = key[len(PREFIX) :] if key.startswith(PREFIX) else _METRIC
        if what in _OF_WORKLOADS or what.startswith(_METRIC):
            continue
        name = what.partition(".")[0]
        if name in _of_containers() or name in _OF_PODS:
            why = "it speaks of pods, and does nothing here: it belongs into the pod template"
        else:
            why = _unknown(name, _OF_WORKLOADS)
        found.append(f"metadata.annotations[{key}]: {why}")
    return found


def _odd(what: str, value: str, spec: Object) -> str:
    """Why an annotation says nothing, or keeps containers from being made; "" where all is well."""
    from cluster.api import scriptvalues

    name, dot, container = what.partition(".")
    if name in _OF_PODS:
        return "it speaks of the whole pod, not of a container" if dot else ""
    if name in _OF_WORKLOADS:
        return "it belongs to the workload that load-from names, and does nothing on a pod"
    known = _of_containers()
    if name not in known:
        return _unknown(name, (*known, *_OF_PODS))
    if dot and not any(
        one.get("name") == container for field in _LISTS for one in spec.get(field) or ()
    ):
        return f'there is no container "{container}"'
    reader = scriptvalues.READERS.get(name)
    try:
        if reader is not None:
            reader(value)
    except ValueError as error:
        return f"no container can be made with it: {error}"
    return ""


def _of_containers() -> Collection[str]:
    # Imported here: few objects have such annotations.
    from cluster.api import scriptvalues

    return (*scriptvalues.READERS, *_OF_CONTAINERS)


def _unknown(name: str, known: Collection[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name[:60], known, 1)
    return f'unknown; did you mean "{PREFIX}{near[0]}"?' if near else "unknown: it does nothing"
