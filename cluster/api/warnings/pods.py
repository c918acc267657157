"""Pods and the workloads that make them."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from cluster.api import metadata
from cluster.api.objects import Object
from cluster.api.warnings import podspecs, scripts

_HOSTNAME: Final = "this is used in the Pod's hostname, which can result in surprising behavior"
_NAMES: Final = (
    "this is used in Pod names and hostnames, which can result in surprising behavior; a DNS "
    "label is recommended"
)

Warner = Callable[[Object, Object | None], list[str]]


def pod(new: Object, old: Object | None) -> list[str]:
    """What is odd about a pod; of one that changes, only where its spec or annotations do."""
    meta = new["metadata"]
    if old is not None and _same(new, old):
        return []
    found: list[str] = []
    name = meta.get("name") or ""
    if old is None and (told := metadata.dns1123_label(name)):
        found += [f"metadata.name: {_HOSTNAME}; a DNS label is recommended: {_shown(told)}"]
    return found + podspecs.of("", meta, new.get("spec") or {})


def _same(new: Object, old: Object) -> bool:
    before, after = old.get("metadata") or {}, new["metadata"]
    same_annotations = before.get("annotations") == after.get("annotations")
    return same_annotations and old.get("spec") == new.get("spec")


def _shown(told: metadata.Complaints) -> str:
    return f"[{' '.join(told)}]"


def _template(*path: str, named: bool = False) -> Warner:
    """Warns of the template at `path`, where that is new; `named`: pods are named by the object."""

    def warn(new: Object, old: Object | None) -> list[str]:
        template = _at(new, path)
        found = _of_workload(new, old)
        if old is not None and _at(old, path) == template:
            return found
        name = new["metadata"].get("name") or ""
        if named and old is None and (told := metadata.dns1123_label(name)):
            found.append(f"metadata.name: {_NAMES}: {_shown(told)}")
        return found + podspecs.of_template(".".join(path), template)

    return warn


def _of_workload(new: Object, old: Object | None) -> list[str]:
    annotations = new["metadata"].get("annotations")
    if not annotations or (old is not None and annotations == old["metadata"].get("annotations")):
        return []
    return scripts.of_workload(annotations)


def _at(obj: Object, path: tuple[str, ...]) -> Object:
    found: Any = obj
    for step in path:
        found = found.get(step) or {}
    return found  # type: ignore[no-any-return]


_SPEC: Final = ("spec", "template")
_MANY: Final = 100_000
_MANY_AT_ONCE: Final = 10_000
_DOCUMENTED: Final = (
    "CRON_TZ or TZ used in spec.schedule is not officially supported, see "
    "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
)


def job(new: Object, old: Object | None) -> list[str]:
    """A job, whose name is its pods'."""
    found = _template(*_SPEC, named=True)(new, old)
    spec = new.get("spec") or {}
    completions, parallelism = spec.get("completions") or 0, spec.get("parallelism") or 0
    many = completions > _MANY and parallelism > _MANY_AT_ONCE
    if old is None and many and spec.get("completionMode") == "Indexed":
        text = (
            f"In Indexed Jobs with a number of completions higher than {_MANY} and a "
            f"parallelism higher than {_MANY_AT_ONCE}, Kubernetes might not be able to track "
            "completedIndexes when a big number of indexes fail"
        )
        found.append(text)
    return found


def cron_job(new: Object, old: Object | None) -> list[str]:
    """A cron job, whose schedule has a time zone of its own."""
    spec = new.get("spec") or {}
    found: list[str] = []
    path = ("spec", "jobTemplate", "spec", "template")
    name = new["metadata"].get("name") or ""
    if old is None and (told := metadata.dns1123_label(name)):
        found.append(f"metadata.name: {_NAMES}: {_shown(told)}")
    found += _template(*path)(new, old)
    if "TZ" in (spec.get("schedule") or ""):
        found.append(_DOCUMENTED)
    return found


BY_RESOURCE: Final[Mapping[str, Warner]] = {
    "cronjobs.batch": cron_job,
    "daemonsets.apps": _template(*_SPEC),
    "deployments.apps": _template(*_SPEC, named=True),
    "jobs.batch": job,
    "pods": pod,
    "podtemplates": _template("template"),
    "replicasets.apps": _template(*_SPEC, named=True),
    "replicationcontrollers": _template(*_SPEC, named=True),
    "statefulsets.apps": _template(*_SPEC),
}
