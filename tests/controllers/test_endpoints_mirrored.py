"""Endpoints that a user makes show as slices, as the documentation of EndpointSlices tells it."""

from typing import Any

import pytest
from controllerworld import World, running

from cluster.aio import virtual
from cluster.api import objects
from cluster.controllers.config import Config
from cluster.controllers.endpointslicemirroring import mirror

SLICES = "endpointslices.discovery.k8s.io"
POSTGRES = {"name": "db", "port": 5432}


def made(*subsets: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": "db", "namespace": "default", "uid": "e1", **metadata},
        "subsets": list(subsets),
    }


def addresses(*texts: str) -> list[dict[str, str]]:
    return [{"ip": text} for text in texts]


SUBSET = {"addresses": addresses("192.0.2.1", "192.0.2.2"), "ports": [POSTGRES]}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "db", "namespace": "default"},
    "spec": {"ports": [{"name": "db", "port": 5432}]},
}


def test_each_family_and_set_of_ports_has_slices_of_its_own() -> None:
    both = {"addresses": addresses("192.0.2.1", "2001:db8::1"), "ports": [POSTGRES]}
    waiting = {"notReadyAddresses": addresses("192.0.2.3"), "ports": [POSTGRES | {"port": 1}]}
    found = mirror.desired(made(both, waiting), 1000)
    told = [
        (group.address_type, group.ports[0]["port"], list(group.endpoints.values()))
        for group in found.groups.values()
    ]
    assert told == [
        ("IPv4", 5432, [{"addresses": ["192.0.2.1"], "conditions": {"ready": True}}]),
        ("IPv6", 5432, [{"addresses": ["2001:db8::1"], "conditions": {"ready": True}}]),
        ("IPv4", 1, [{"addresses": ["192.0.2.3"], "conditions": {"ready": False}}]),
    ]


def test_what_is_too_much_or_no_address_is_counted() -> None:
    texts = ("192.0.2.1", "nonsense", "192.0.2.2", "192.0.2.3")
    found = mirror.desired(made({"addresses": addresses(*texts)}), 2)
    assert (found.invalid, found.skipped) == (1, 1)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, True),
        ({"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}}, False),
        ({"labels": {"endpointslice.kubernetes.io/skip-mirror": "no"}}, True),
        ({"labels": {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}}, False),
        ({"annotations": {"control-plane.alpha.kubernetes.io/leader": "{}"}}, False),
    ],
)
def test_which_endpoints_are_mirrored(metadata: dict[str, Any], expected: bool) -> None:
    assert mirror.wanted(made(SUBSET, **metadata)) is expected


async def mirrored(world: World, *expected: str) -> bool:
    found = await world.all(SLICES)
    told = [one["addresses"][0] for part in found for one in part.get("endpoints") or ()]
    return sorted(told) == sorted(expected)


def test_slices_follow_the_endpoints_and_go_with_them() -> None:
    async def main() -> None:
        async with running(nodes=0) as world:
            await world.create("endpoints", made(SUBSET))
            await world.create("services", SERVICE)
            await world.until(lambda: mirrored(world, "192.0.2.1", "192.0.2.2"))
            (found,) = await world.all(SLICES)
            assert objects.labels(found) == {
                "kubernetes.io/service-name": "db",
                "endpointslice.kubernetes.io/managed-by": mirror.CONTROLLER,
            }
            owner = objects.controller_of(found)
            assert owner is not None
            assert (owner["kind"], owner["name"]) == ("Endpoints", "db")
            patch = {"subsets": [{"addresses": addresses("192.0.2.9"), "ports": [POSTGRES]}]}
            await world.client.patch("endpoints", "db", patch, "default")
            await world.until(lambda: mirrored(world, "192.0.2.9"))
            skip = {"metadata": {"labels": {mirror.SKIP: "true"}}}
            await world.client.patch("endpoints", "db", skip, "default")
            await world.until(lambda: mirrored(world))
            again = {"metadata": {"labels": {mirror.SKIP: None}}}
            await world.client.patch("endpoints", "db", again, "default")
            await world.until(lambda: mirrored(world, "192.0.2.9"))
            await world.client.delete("endpoints", "db", "default")
            await world.until(lambda: mirrored(world))

    virtual.run(main())


@pytest.mark.parametrize("seed", range(2))
def test_slices_are_right_whatever_happens_to_the_manager(seed: int) -> None:
    async def main() -> None:
        async with running(nodes=0, crash_every=seed) as world:
            await world.create("services", SERVICE)
            await world.create("endpoints", made(SUBSET))
            for last in range(3, 9):
                wanted = [f"192.0.2.{number}" for number in range(last)]
                patch = {"subsets": [{"addresses": addresses(*wanted), "ports": [POSTGRES]}]}
                await world.client.patch("endpoints", "db", patch, "default")
                await world.until(lambda wanted=wanted: mirrored(world, *wanted), 200)
            assert len(await world.all(SLICES)) == 1

    virtual.run(main())


def test_whoever_made_the_endpoints_is_told_what_is_not_mirrored() -> None:
    async def main() -> None:
        async with running(Config(mirroring_max_endpoints_per_subset=1)) as world:
            await world.create("services", SERVICE)
            await world.create("endpoints", made(SUBSET))

            async def told() -> bool:
                return bool(await world.events("TooManyAddressesToMirror"))

            await world.until(told)
            assert await world.events("TooManyAddressesToMirror") == [
                "A max of 1 addresses can be mirrored to EndpointSlices per Endpoints subset. "
                "1 addresses were skipped"
            ]

    virtual.run(main())
