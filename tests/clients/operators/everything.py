"""An operator of kopf with a handler of each kind. It tells in the status what it did."""

import asyncio
import pathlib
import sys
from typing import Any

import kopf

KIND = ("kopf.dev", "v1", "kopfexamples")


@kopf.on.startup()
def settle(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.posting.loggers = True  # what is logged of an object becomes an event about it
    settings.persistence.finalizer = "tests.kubemu.dev/kopf"


@kopf.on.create(*KIND)
def made(spec: kopf.Spec, name: str, namespace: str, **_: Any) -> Any:
    """Make a child, which kopf writes nowhere: it is told to the log of the object."""
    child = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{name}-child"}}
    kopf.adopt(child)
    return {"field": spec.get("field"), "child": child["metadata"]["ownerReferences"][0]["name"]}


@kopf.on.update(*KIND)
def changed(diff: kopf.Diff, patch: kopf.Patch, **_: Any) -> None:
    patch.status["changed"] = [
        [operation, list(field), old, new] for operation, field, old, new in diff
    ]


@kopf.on.field(*KIND, field="spec.field")
def field_changed(old: Any, new: Any, patch: kopf.Patch, **_: Any) -> None:
    patch.status["field"] = {"old": old, "new": new}


@kopf.on.resume(*KIND)
def resumed(patch: kopf.Patch, **_: Any) -> None:
    patch.status["resumed"] = True


@kopf.on.delete(*KIND)
def gone(body: kopf.Body, name: str, **_: Any) -> None:
    kopf.event(body, type="Normal", reason="Leaving", message=f"{name} goes")


@kopf.on.create(*KIND)
def fails_once(retry: int, patch: kopf.Patch, **_: Any) -> None:
    if not retry:
        raise kopf.TemporaryError("not yet", delay=0.1)
    patch.status["retried"] = retry


@kopf.timer(*KIND, interval=0.2)
def ticks(patch: kopf.Patch, status: kopf.Status, **_: Any) -> None:
    if status.get("ticks", 0) < 3:
        patch.status["ticks"] = status.get("ticks", 0) + 1


@kopf.daemon(*KIND, cancellation_timeout=1)
async def attends(name: str, **_: Any) -> None:
    pathlib.Path(f"attends-{name}").touch()
    try:
        await asyncio.sleep(3600)
    finally:
        pathlib.Path(f"attends-{name}").unlink()


@kopf.on.event("configmaps", labels={"watched": "yes"})
def seen(type: Any, name: str, **_: Any) -> None:
    sys.stderr.write(f"seen {type} {name}\n")
