"""Jobs for tests, and how they stand."""

from typing import Any

from cluster.api import objects
from cluster.client import client, informer
from cluster.controllers import podstate


def job(name: str = "work", **spec: Any) -> dict[str, Any]:
    """A Job of one container that is not started again."""
    annotations = spec.pop("annotations", {})
    pod: dict[str, Any] = {
        "restartPolicy": spec.pop("restartPolicy", "Never"),
        "containers": [{"name": "c", "image": "busybox:1"}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": {"metadata": {"annotations": annotations}, "spec": pod}, **spec},
    }


def condition(found: dict[str, Any], kind: str) -> dict[str, Any] | None:
    """The condition of this type, if it is True."""
    for each in found.get("status", {}).get("conditions", ()):
        if each["type"] == kind and each["status"] == "True":
            return dict(each)
    return None


def ended(found: dict[str, Any]) -> str:
    """`Complete` or `Failed`, or "" for a job that goes on."""
    return next((kind for kind in ("Complete", "Failed") if condition(found, kind)), "")


def kinds(found: dict[str, Any]) -> list[str]:
    """The types of the conditions, in order."""
    return [each["type"] for each in found["status"].get("conditions", ())]


async def finished(world: Any, name: str = "work", within: float = 120.0) -> dict[str, Any]:
    """The job once it has ended, one way or the other."""

    async def done() -> dict[str, Any] | None:
        found: dict[str, Any] = await world.get("jobs.batch", name)
        return found if ended(found) else None

    found: dict[str, Any] = await world.until(done, within=within)
    return found


async def following(api: client.Client, told: "Ledger") -> None:
    """Tell of every change of a pod, from now on, until cancelled."""
    pods = informer.Informer(api, "pods")
    pods.on_change(told.changed)
    await pods.run()


class Ledger:
    """What a test saw of pods: who is active, who ended and how, by the uid of the job."""

    def __init__(self) -> None:
        self._active: dict[str, dict[str, str]] = {}
        self.most: dict[str, int] = {}
        self.doubled: list[str] = []
        self.succeeded: dict[str, dict[str, int]] = {}

    def changed(self, change: informer.Change) -> None:
        pod = change.object
        owner = objects.controller_of(pod)
        if owner is None:
            return
        job, uid = owner["uid"], objects.uid(pod)
        active = self._active.setdefault(job, {})
        index = objects.annotations(pod).get("batch.kubernetes.io/job-completion-index", "")
        if change.new is None or not podstate.is_active(pod):
            active.pop(uid, None)
        else:
            if index and index in [i for other, i in active.items() if other != uid]:
                self.doubled.append(f"{objects.name(pod)} is a second pod of index {index}")
            active[uid] = index
        if objects.status(pod).get("phase") == "Succeeded":
            number = int(index) if index else -1
            self.succeeded.setdefault(job, {})[uid] = number
        self.most[job] = max(self.most.get(job, 0), len(active))
