"""Accounts, the root CA, tokens, quotas and certificates with a manager that dies at any moment."""

import asyncio
import base64
import random
from typing import Any

import pytest
from controllerworld import World, running
from test_certificates_in_a_world import AUTHORITY, CSRS, NODE, approve, csr, leaf, made
from test_token_secrets_in_a_world import KEY, account, secret

from cluster.aio import virtual
from cluster.api import certificates, objects
from cluster.client import informer
from cluster.controllers.config import Config

CONFIG = Config(root_ca="PEM", service_account_key=KEY, cluster_signing_authority=AUTHORITY)
ROOT_CA = "kube-root-ca.crt"


def named(kind: str, name: str, namespace: str = "", **fields: Any) -> dict[str, Any]:
    meta = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "v1", "kind": kind, "metadata": meta} | fields


@pytest.mark.parametrize("seed", range(4))
def test_every_namespace_has_its_account_and_the_root_ca(seed: int) -> None:
    async def main() -> None:
        async with running(CONFIG, nodes=0, crash_every=seed) as world:
            choice = random.Random(f"{seed}/spaces")
            spaces = [f"team-{number}" for number in range(8)]
            for space in spaces:
                await world.create("namespaces", named("Namespace", space))
                await asyncio.sleep(choice.uniform(0, 2))
            await world.until(lambda: furnished(world), within=100, every=0.5)
            for space in choice.sample(spaces, k=4):
                await world.client.delete("serviceaccounts", "default", space)
                await asyncio.sleep(choice.uniform(0, 2))
            for space in choice.sample(spaces, k=4):
                await world.client.delete("configmaps", ROOT_CA, space)
                await asyncio.sleep(choice.uniform(0, 2))
            for space in choice.sample(spaces, k=2):
                patch = {"data": {"ca.crt": "another", "more": "x"}}
                if await world.exists("configmaps", ROOT_CA, space):
                    await world.client.patch("configmaps", ROOT_CA, patch, space)
            await world.client.delete("namespaces", choice.choice(spaces))
            await world.until(lambda: furnished(world), within=100, every=0.5)

            async def seven() -> bool:
                found = [objects.name(each) for each in await world.all("namespaces")]
                return len([name for name in found if name in spaces]) == 7

            await world.until(seven, within=200, every=0.5)
            await asyncio.sleep(20)
            assert await furnished(world)
            assert world.mortal.deaths >= 2

    virtual.run(main())


async def furnished(world: World) -> bool:
    """Whether every namespace that is not going has both."""
    active = [space for space in await world.all("namespaces") if not objects.deleting(space)]
    spaces = {objects.name(space) for space in active}
    accounts = {
        objects.namespace(found)
        for found in await world.all("serviceaccounts")
        if objects.name(found) == "default"
    }
    maps = {
        objects.namespace(found)
        for found in await world.all("configmaps")
        if objects.name(found) == ROOT_CA and found["data"] == {"ca.crt": "PEM"}
    }
    return spaces <= accounts and spaces <= maps


@pytest.mark.parametrize("seed", range(4))
def test_a_token_is_made_once_and_goes_with_its_account(seed: int) -> None:
    async def main() -> None:
        async with running(CONFIG, nodes=0, crash_every=seed) as world:
            choice = random.Random(f"{seed}/tokens")
            seen = await history(world, "secrets", lambda obj: (obj.get("data") or {}).get("token"))
            for number in range(6):
                await world.create("serviceaccounts", account(f"robot-{number}"))
                await asyncio.sleep(choice.uniform(0, 3))
                await world.create("secrets", secret(f"token-{number}", f"robot-{number}"))

            async def filled() -> bool:
                found = await world.all("secrets", "default")
                return len(found) == 6 and all(
                    (each.get("data") or {}).get("token") for each in found
                )

            await world.until(filled, within=200, every=0.5)
            doomed = choice.sample(range(6), k=3)
            for number in doomed:
                await world.client.delete("serviceaccounts", f"robot-{number}", "default")
                await asyncio.sleep(choice.uniform(0, 5))
            again = doomed[0]  # another account of the same name has no right to the old token
            await world.create("serviceaccounts", account(f"robot-{again}"))
            kept = [f"token-{number}" for number in range(6) if number not in doomed]

            async def left() -> bool:
                return sorted(map(objects.name, await world.all("secrets", "default"))) == kept

            await world.until(left, within=200, every=0.5)
            await asyncio.sleep(30)
            assert await left()
            assert len(seen) == 6
            assert all(len(tokens) == 1 for tokens in seen.values())

    virtual.run(main())


async def history(world: World, resource: str, part: Any) -> dict[str, list[Any]]:
    """By object's name, in time everything that `part` of it was, if anything."""
    seen: dict[str, list[Any]] = {}
    source = informer.Informer(world.client, resource)

    def changed(change: informer.Change) -> None:
        value = part(change.new) if change.new is not None else None
        told = seen.setdefault(objects.name(change.object), []) if value else []
        if value and value not in told[-1:]:
            told.append(value)

    source.on_change(changed)
    world.group.spawn(source.run(), f"history of {resource}")
    await source.synced()
    return seen


@pytest.mark.parametrize("seed", range(4))
def test_a_quota_says_in_the_end_what_is_there(seed: int) -> None:
    async def main() -> None:
        async with running(CONFIG, nodes=0, crash_every=seed) as world:
            choice = random.Random(f"{seed}/quota")
            await world.create("namespaces", named("Namespace", "team"))
            hard = {"configmaps": "50", "secrets": "50", "count/serviceaccounts": "7"}
            await world.create(
                "resourcequotas", named("ResourceQuota", "q", "team", spec={"hard": hard})
            )
            kinds = {"configmaps": "ConfigMap", "secrets": "Secret"}
            there: list[tuple[str, str]] = []
            for number in range(60):
                if there and choice.random() < 0.4:
                    resource, name = there.pop(choice.randrange(len(there)))
                    await world.client.delete(resource, name, "team")
                else:
                    resource, name = choice.choice(list(kinds)), f"x{number}"
                    await world.create(resource, named(kinds[resource], name, "team"))
                    there.append((resource, name))
                await asyncio.sleep(choice.expovariate(2))

            async def right() -> bool:
                counts = {
                    "configmaps": len(await world.all("configmaps", "team")),
                    "secrets": len(await world.all("secrets", "team")),
                    "count/serviceaccounts": len(await world.all("serviceaccounts", "team")),
                }
                status = objects.status(await world.get("resourcequotas", "q", "team"))
                used = {key: str(count) for key, count in counts.items()}
                return status.get("hard") == hard and status.get("used") == used

            await world.until(right, within=100, every=0.5)
            await asyncio.sleep(30)
            assert await right(), "it stays so"
            assert world.mortal.deaths >= 2

    virtual.run(main())


@pytest.mark.parametrize("seed", range(4))
def test_a_request_is_approved_once_and_signed_once(seed: int) -> None:
    async def main() -> None:
        async with running(CONFIG, nodes=0, crash_every=seed) as world:
            choice = random.Random(f"{seed}/requests")
            signed = await history(world, CSRS, lambda obj: objects.status(obj).get("certificate"))
            said = await history(world, CSRS, lambda obj: objects.status(obj).get("conditions"))
            for number in range(8):
                mine = await world.create(CSRS, csr(f"user-{number}"))
                asked = made.request(*NODE)
                await world.create(
                    CSRS, csr(f"node-{number}", certificates.KUBELET_CLIENT, asked=asked)
                )
                await world.create(CSRS, csr(f"waits-{number}"))
                await asyncio.sleep(choice.uniform(0, 3))
                await approve(world, mine)

            async def answered() -> bool:
                return len(signed) == 16

            await world.until(answered, within=300, every=0.5)
            await asyncio.sleep(60)
            assert sorted(signed) == sorted(f"{k}-{n}" for k in ("node", "user") for n in range(8))
            assert all(len(found) == 1 for found in signed.values()), "signed once"
            assert sorted(said) == sorted(signed)
            assert all(len(told) == 1 and len(told[0]) == 1 for told in said.values())
            serials = {leaf({"certificate": found[0]}).serial_number for found in signed.values()}
            assert len(serials) == 16, "each life draws serial numbers of its own"
            assert base64.b64decode(next(iter(signed.values()))[0]).startswith(b"-----BEGIN")
            assert world.mortal.deaths >= 2

    virtual.run(main())
