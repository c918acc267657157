"""DaemonSets for tests, and what is asked about their pods."""

from collections.abc import Awaitable, Callable
from typing import Any

from controllerworld import World, running

from cluster.aio import virtual
from cluster.api import objects
from cluster.controllers.config import Config
from cluster.controllers.daemonset import podmaking

SETS = "daemonsets.apps"
REVISIONS = "controllerrevisions.apps"


def daemon_set(
    name: str = "agent", image: str = "nginx:1", pod: dict[str, Any] | None = None, **spec: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": image}], **(pod or {})},
            },
            **spec,
        },
    }


def rolling(**fields: Any) -> dict[str, Any]:
    return {"type": "RollingUpdate", "rollingUpdate": fields}


def image(pod: dict[str, Any]) -> str:
    return str(pod["spec"]["containers"][0]["image"])


def obeying(world: World) -> None:
    """Have the fake kubelet bind pods to the node that their affinity names."""
    world.kubelet.choose = lambda pod, alive: next(
        (name for name in alive if name == podmaking.target(pod)), None
    )


class Sets:
    """What tests do with the set `agent`, and wait for."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def patch(self, name: str = "agent", **spec: Any) -> None:
        await self.world.client.patch(SETS, name, {"spec": spec}, "default")

    async def roll(self, to: str) -> None:
        template = {"spec": {"containers": [{"name": "c", "image": to}]}}
        await self.patch(template=template)

    async def pods(self, name: str = "agent") -> list[dict[str, Any]]:
        return await self.world.all("pods", "default", labels=f"app={name}")

    async def by_node(self, name: str = "agent") -> dict[str, list[str]]:
        """The images of the pods on (or for) each node."""
        found: dict[str, list[str]] = {}
        for pod in await self.pods(name):
            found.setdefault(podmaking.target(pod), []).append(image(pod))
        return {node: sorted(images) for node, images in sorted(found.items())}

    async def status(self, name: str = "agent") -> dict[str, Any]:
        return objects.status(await self.world.get(SETS, name))

    async def at_rest(self, name: str = "agent", nodes: int | None = None) -> bool:
        found = await self.world.get(SETS, name)
        told = objects.status(found)
        wanted = told.get("desiredNumberScheduled", 0) if nodes is None else nodes
        updating = objects.spec(found)["updateStrategy"]["type"] == "RollingUpdate"
        return (
            told.get("observedGeneration") == objects.meta(found)["generation"]
            and told.get("desiredNumberScheduled", 0) == wanted
            and told.get("currentNumberScheduled", 0) == wanted
            and told.get("numberAvailable", 0) == wanted
            and told.get("numberMisscheduled", 0) == 0
            and (not updating or told.get("updatedNumberScheduled", 0) == wanted)
            and len(await self.pods(name)) == wanted
        )

    async def rest(
        self, nodes: int | None = None, within: float = 120.0, name: str = "agent"
    ) -> dict[str, Any]:
        """Wait until nothing is left to do; the status then."""

        async def settled() -> bool:
            return await self.at_rest(name, nodes)

        await self.world.until(settled, within)
        return await self.status(name)


Scenario = Callable[[World, Sets], Awaitable[None]]


def lived(scenario: Scenario, config: Config | None = None, nodes: int = 3) -> None:
    """Run a scenario in a smooth world."""

    async def main() -> None:
        async with running(config, nodes=nodes) as world:
            obeying(world)
            await scenario(world, Sets(world))

    virtual.run(main())
