"""Endpoints over a real registry: they follow pods and Services, and leave others' alone."""

from typing import Any

import pytest
from controllerworld import World, deployment, running

from cluster.aio import virtual
from cluster.api import objects
from cluster.controllers.endpoints import subsets

ENDPOINTS = "endpoints"


def service(name: str = "web", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "labels": {"team": "a"}},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": "http"}], **spec},
    }


async def shown(world: World, count: int, name: str = "web") -> bool:
    if not await world.exists(ENDPOINTS, name):
        return False
    subsets = (await world.get(ENDPOINTS, name)).get("subsets") or []
    return sum(len(subset.get("addresses") or ()) for subset in subsets) == count


def test_endpoints_follow_the_pods_and_go_with_the_service() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create("services", service())
            await world.until(lambda: shown(world, 0))
            await world.create("deployments.apps", deployment(replicas=3))
            await world.until(lambda: shown(world, 3))
            found = await world.get(ENDPOINTS, "web")
            assert objects.labels(found) == {
                "team": "a",
                "endpoints.kubernetes.io/managed-by": "endpoint-controller",
            }
            assert "endpoints.kubernetes.io/last-change-trigger-time" in objects.annotations(found)
            await world.client.patch(
                "deployments.apps", "web", {"spec": {"replicas": 1}}, "default"
            )
            await world.until(lambda: shown(world, 1))
            await world.client.delete(ENDPOINTS, "web", "default")
            await world.until(lambda: shown(world, 1))
            await world.client.delete("services", "web", "default")

            async def gone() -> bool:
                return not await world.exists(ENDPOINTS, "web")

            await world.until(gone)

    virtual.run(main())


def test_endpoints_of_a_service_without_selector_are_its_makers() -> None:
    async def main() -> None:
        async with running() as world:
            made = {
                "apiVersion": "v1",
                "kind": "Endpoints",
                "metadata": {"name": "db", "namespace": "default"},
                "subsets": [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 5432}]}],
            }
            await world.create(ENDPOINTS, made)
            bare = service("db")
            del bare["spec"]["selector"]
            await world.create("services", bare)
            await world.create("services", service("other"))
            await world.until(lambda: shown(world, 0, "other"))
            await world.client.delete("services", "db", "default")
            await world.restart_manager()
            await world.client.delete("services", "other", "default")

            async def other_gone() -> bool:
                return not await world.exists(ENDPOINTS, "other")

            await world.until(other_gone)
            assert (await world.get(ENDPOINTS, "db"))["subsets"][0]["addresses"] == [
                {"ip": "192.0.2.1"}
            ]

    virtual.run(main())


def test_what_a_service_left_while_nobody_looked_is_removed() -> None:
    async def main() -> None:
        async with running() as world:
            left = {
                "apiVersion": "v1",
                "kind": "Endpoints",
                "metadata": {
                    "name": "gone",
                    "namespace": "default",
                    "labels": {"endpoints.kubernetes.io/managed-by": "endpoint-controller"},
                },
            }
            await world.create(ENDPOINTS, left)

            async def removed() -> bool:
                return not await world.exists(ENDPOINTS, "gone")

            await world.until(removed)

    virtual.run(main())


@pytest.mark.parametrize("seed", range(3))
def test_endpoints_are_right_whatever_happens_to_the_manager(seed: int) -> None:
    async def main() -> None:
        async with running(crash_every=seed) as world:
            await world.create("services", service())
            await world.create("deployments.apps", deployment(replicas=4))
            await world.until(lambda: shown(world, 4), 300)
            await world.client.patch(
                "deployments.apps", "web", {"spec": {"replicas": 2}}, "default"
            )
            await world.until(lambda: shown(world, 2), 300)
            pods = [p for p in await world.all("pods") if not objects.deleting(p)]
            subsets = (await world.get(ENDPOINTS, "web"))["subsets"]
            told = {one["targetRef"]["uid"] for one in subsets[0]["addresses"]}
            assert told == {objects.uid(pod) for pod in pods}

    virtual.run(main())


def test_endpoints_that_hold_no_more_say_so_until_they_hold_all(monkeypatch) -> None:
    capacity = "endpoints.kubernetes.io/over-capacity"
    monkeypatch.setattr(subsets, "CAPACITY", 2)

    async def main() -> None:
        async with running() as world:
            await world.create("services", service())
            await world.create("deployments.apps", deployment(replicas=3))
            await world.until(lambda: shown(world, 2))

            async def noted(value: str | None) -> bool:
                found = await world.get(ENDPOINTS, "web")
                return objects.annotations(found).get(capacity) == value

            await world.until(lambda: noted("truncated"))
            await world.client.patch(
                "deployments.apps", "web", {"spec": {"replicas": 1}}, "default"
            )
            await world.until(lambda: noted(None))
            await world.until(lambda: shown(world, 1))

    virtual.run(main())
