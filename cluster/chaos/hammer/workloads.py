"""Workloads under a chaos run: a StatefulSet, a Deployment behind a Service, and Jobs."""

import contextlib
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, Final

from cluster.api import errors, objects
from cluster.client.client import Client

SET: Final = "ordered"
DEPLOYMENT: Final = "web"
_MOST: Final = 4


def _pod(app: str, **annotations: str) -> objects.Object:
    return {
        "metadata": {"labels": {"app": app}, "annotations": annotations},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": app, "image": "registry.k8s.io/pause:3.10"}],
        },
    }


def _workload(kind: str, name: str, spec: objects.Object) -> objects.Object:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": _pod(name),
            **spec,
        },
    }


class Workloads:
    """Makes the workloads of a namespace and changes them at random. Each change may be refused or
    never answered: nobody minds.
    """

    def __init__(self, client: Client, namespace: str, random: Random, name: str = "work") -> None:
        self._name = name
        self._client = client
        self._namespace = namespace
        self._random = random
        self._jobs = 0

    async def begin(self) -> None:
        """Make the StatefulSet, the Deployment and its Service. errors.StatusError."""
        # It takes a while to stop, so that one that is replaced too early is seen beside the next.
        slow = {"serviceName": SET, "template": _pod(SET, **{"kubemu.dev/stop-after": "700ms"})}
        await self._make("statefulsets.apps", _workload("StatefulSet", SET, slow))
        await self._make("deployments.apps", _workload("Deployment", DEPLOYMENT, {}))
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": DEPLOYMENT},
            "spec": {"selector": {"app": DEPLOYMENT}, "ports": [{"port": 80}]},
        }
        await self._make("services", service)

    async def one(self) -> None:
        """One change."""
        acts: list[Callable[[], Awaitable[None]]] = [
            self._scale_set, self._scale_set, self._scale, self._roll, self._job, self._delete,
        ]  # fmt: skip
        with contextlib.suppress(errors.StatusError, TimeoutError):
            await self._random.choice(acts)()

    async def _scale_set(self) -> None:
        await self._patch("statefulsets.apps", SET, {"replicas": self._random.randint(1, _MOST)})

    async def _scale(self) -> None:
        replicas = self._random.randint(1, _MOST)
        await self._patch("deployments.apps", DEPLOYMENT, {"replicas": replicas})

    async def _roll(self) -> None:
        """Roll the Deployment or the StatefulSet."""
        stamp = {"rolled": str(self._random.getrandbits(32))}
        template = {"template": {"metadata": {"annotations": stamp}}}
        which = self._random.choice([("statefulsets.apps", SET), ("deployments.apps", DEPLOYMENT)])
        await self._patch(*which, template)

    async def _job(self) -> None:
        self._jobs += 1
        template = _pod("work", **{"kubemu.dev/run-for": "1s"})
        template["spec"]["restartPolicy"] = "Never"
        spec = {
            "completions": 2, "parallelism": 2, "backoffLimit": 50, "template": template,
            "ttlSecondsAfterFinished": 3,
        }  # fmt: skip
        job = {"apiVersion": "batch/v1", "kind": "Job", "spec": spec}
        await self._make("jobs.batch", job | {"metadata": {"name": f"{self._name}-{self._jobs}"}})

    async def _delete(self) -> None:
        """Delete a pod, as a person would."""
        pods = (await self._client.list("pods", self._namespace)).items
        if pods:
            chosen = objects.name(self._random.choice(pods))
            await self._client.delete("pods", chosen, self._namespace)

    async def _patch(self, resource: str, name: str, spec: dict[str, Any]) -> None:
        await self._client.patch(resource, name, {"spec": spec}, self._namespace)

    async def _make(self, resource: str, obj: objects.Object) -> None:
        obj["metadata"]["namespace"] = self._namespace
        await self._client.create(resource, obj)
