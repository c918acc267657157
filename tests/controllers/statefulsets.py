"""StatefulSets for tests, and what is asked about their pods."""

from collections.abc import Awaitable, Callable
from typing import Any

from controllerworld import World, running

from cluster.aio import virtual
from cluster.api import objects
from cluster.controllers.config import Config

SETS = "statefulsets.apps"
REVISIONS = "controllerrevisions.apps"
CLAIMS = "persistentvolumeclaims"


def stateful_set(
    name: str = "web", replicas: int = 3, image: str = "nginx:1", claims: tuple[str, ...] = (),
    **spec: Any,
) -> dict[str, Any]:  # fmt: skip
    templates = [
        {
            "metadata": {"name": claim},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        }
        for claim in claims
    ]
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "serviceName": name,
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
            **({"volumeClaimTemplates": templates} if templates else {}),
            **spec,
        },
    }


def rolling(**fields: Any) -> dict[str, Any]:
    return {"type": "RollingUpdate", "rollingUpdate": fields}


def image(pod: dict[str, Any]) -> str:
    return str(pod["spec"]["containers"][0]["image"])


class Sets:
    """What tests do with the set `web`, and wait for."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def patch(self, name: str = "web", **spec: Any) -> None:
        await self.world.client.patch(SETS, name, {"spec": spec}, "default")

    async def roll(self, to: str) -> None:
        template = {"spec": {"containers": [{"name": "c", "image": to}]}}
        await self.patch(template=template)

    async def pods(self, name: str = "web") -> dict[str, dict[str, Any]]:
        found = await self.world.all("pods", "default", labels=f"app={name}")
        return {objects.name(pod): pod for pod in found}

    async def images(self) -> dict[str, str]:
        return {name: image(pod) for name, pod in sorted((await self.pods()).items())}

    async def status(self, name: str = "web") -> dict[str, Any]:
        return objects.status(await self.world.get(SETS, name))

    async def at_rest(self, name: str = "web", replicas: int | None = None) -> bool:
        """As many pods as asked for, all ready, updated as far as they should be, and told so."""
        found = await self.world.get(SETS, name)
        told, spec = objects.status(found), objects.spec(found)
        wanted = spec["replicas"] if replicas is None else replicas
        kept = ((spec["updateStrategy"].get("rollingUpdate") or {}).get("partition")) or 0
        updating = spec["updateStrategy"]["type"] == "RollingUpdate"
        return (
            spec["replicas"] == wanted
            and told.get("observedGeneration") == objects.meta(found)["generation"]
            and told.get("replicas", 0) == wanted
            and told.get("readyReplicas", 0) == wanted
            and told.get("availableReplicas", 0) == wanted
            and (not updating or told.get("updatedReplicas", 0) >= max(0, wanted - kept))
            and len(await self.pods(name)) == wanted
        )

    async def rest(self, within: float = 120.0, name: str = "web") -> dict[str, Any]:
        """Wait until nothing is left to do; the status then."""

        async def settled() -> bool:
            return await self.at_rest(name)

        await self.world.until(settled, within)
        return await self.status(name)


Scenario = Callable[[World, Sets], Awaitable[None]]


def lived(scenario: Scenario, config: Config | None = None) -> None:
    """Run a scenario in a smooth world."""

    async def main() -> None:
        async with running(config) as world:
            await scenario(world, Sets(world))

    virtual.run(main())
