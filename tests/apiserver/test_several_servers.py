"""Two API servers on one store, whose watch caches lag: reads, unique things, quotas, ends."""

import asyncio

import pytest
import registry_world as rw
import shared_world as sw
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.aio import virtual
from cluster.api import errors, objects
from cluster.api.operations import Fence, Operation, Verb


def run(test, **options):
    async def main():
        async with sw.servers(**options) as servers:
            await test(servers)

    virtual.run(main())


async def settled(work):
    """What became of a write: its object, or the error."""
    try:
        return await work
    except errors.StatusError as error:
        return error


def service(name, kind="NodePort", **spec):
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]
    return {"metadata": {"name": name}, "spec": {"type": kind, "ports": ports, **spec}}


def test_two_servers_that_start_at_once_both_come_up_and_make_one_of_everything() -> None:
    async def test(servers):
        for each in (servers[0], servers[1]):
            found = await each.get("services", "kubernetes")
            assert found["spec"]["clusterIP"] == "10.96.0.1"
            assert await each.exists("namespaces", "kube-system", "")

    run(test)


def test_what_one_server_has_answered_the_other_shows() -> None:
    async def test(servers):
        for number in range(5):
            name = f"c{number}"
            await servers[0].create("configmaps", rw.config_map(name, a="1"))
            assert (await servers[1].get("configmaps", name))["data"] == {"a": "1"}
            page = await servers[1].registry.list("configmaps", "default")
            assert name in [entry.name for entry in page.items]
            await servers[1].delete("configmaps", name)
            assert not await servers[0].exists("configmaps", name)

    run(test)


def test_a_read_that_allows_any_age_waits_for_nobody() -> None:
    async def test(servers):
        servers.views[1].hold()
        await servers[0].create("configmaps", rw.config_map("late"))
        before = servers.behind.asked
        with pytest.raises(errors.NotFound):
            await servers[1].registry.get("configmaps", "default", "late", revision="0")
        assert servers.behind.asked == before
        with pytest.raises(errors.Timeout, match="Too large resource version"):
            await servers[1].registry.get("configmaps", "default", "late")
        servers.views[1].flow()
        assert await servers[1].exists("configmaps", "late")

    run(test)


def test_many_readers_at_once_share_the_store_s_answers() -> None:
    async def test(servers):
        await servers[0].create("configmaps", rw.config_map("one"))
        before = servers.behind.asked
        async with asyncio.timeout(5):
            await asyncio.gather(*(servers[1].get("configmaps", "one") for _ in range(200)))
        assert servers.behind.asked - before <= 2

    run(test)


def test_writes_to_one_object_by_way_of_both_are_all_made() -> None:
    async def test(servers):
        await servers[0].create("configmaps", rw.config_map("shared"))

        async def write(server, key):
            await server.patch("configmaps", "shared", {"data": {key: "x"}})

        await asyncio.gather(*(write(servers[number % 2], f"k{number}") for number in range(20)))
        found = await servers[0].get("configmaps", "shared")
        assert sorted(found["data"]) == sorted(f"k{number}" for number in range(20))

    run(test)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(2, 3))
def test_no_address_and_no_port_is_given_twice(seed: int, count: int) -> None:
    async def test(servers):
        refusals = []

        async def make(number):
            extra = {}
            if number % 4 == 0:  # asked for by name: one of them gets it
                extra = {"clusterIP": "10.96.7.7"}
            if number % 5 == 0:
                extra |= {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
            try:
                await servers[number % count].create("services", service(f"s{number}", **extra))
            except errors.Invalid as refused:
                refusals.append(refused.message)

        await asyncio.gather(*(make(number) for number in range(24)))
        page = await servers[0].registry.list("services")
        assert len(refusals) == 5
        assert all("already allocated" in text for text in refusals)
        specs = [objects.spec(entry.document()) for entry in page.items]
        addresses = [spec["clusterIP"] for spec in specs]
        ports = [port["nodePort"] for spec in specs for port in spec["ports"] if "nodePort" in port]
        ports += [spec["healthCheckNodePort"] for spec in specs if "healthCheckNodePort" in spec]
        assert len(specs) == 24 - 5 + 1  # six asked for one address, and kubernetes is there
        assert len(set(addresses)) == len(addresses)
        assert len(set(ports)) == len(ports)

    run(test, seed=seed, count=count)


def test_a_server_that_was_stopped_gives_out_nothing_that_was_given_meanwhile() -> None:
    async def test(servers):
        servers.views[0].stick()
        wanted = {"clusterIP": "10.96.7.7"}
        late = servers[0].group.spawn(
            settled(servers[0].create("services", service("late", "ClusterIP", **wanted))), "late"
        )
        await asyncio.sleep(1)
        await servers[1].create("services", service("first", "ClusterIP", **wanted))
        servers.views[0].unstick()
        refused = await late
        assert isinstance(refused, errors.Invalid)
        assert "already allocated" in refused.message

    run(test)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_quota_holds_whoever_writes(seed: int) -> None:
    async def test(servers):
        quota = {"metadata": {"name": "q"}, "spec": {"hard": {"configmaps": "7"}}}
        await servers[0].create("resourcequotas", quota)
        made = []
        refusals = []

        async def make(number):
            try:
                await servers[number % 2].create("configmaps", rw.config_map(f"c{number}"))
            except errors.Forbidden as refused:
                refusals.append(refused.message)
            else:
                made.append(number)

        await asyncio.gather(*(make(number) for number in range(20)))
        page = await servers[1].registry.list("configmaps", "default")
        assert len(made) == len(page.items) == 7
        assert all("exceeded quota: q" in text for text in refusals)

    run(test, seed=seed)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), pause=st.floats(0, 0.02))
def test_nothing_is_made_in_a_namespace_after_its_end_has_begun(seed: int, pause: float) -> None:
    async def test(servers):
        await servers[0].create("namespaces", {"metadata": {"name": "going"}}, "")
        ended = []

        async def end():
            await asyncio.sleep(pause)
            await servers[0].delete("namespaces", "going", "")
            ended.append(servers.behind.store.revision)

        async def make(number):
            try:
                found = await servers[1].create("configmaps", rw.config_map(f"c{number}"), "going")
            except (errors.Forbidden, errors.NotFound):
                return 0
            return int(found["metadata"]["resourceVersion"])

        _, *made = await asyncio.gather(end(), *(make(number) for number in range(12)))
        history = servers.behind.store._core.history(0)
        marked = [
            event.revision
            for event in history
            if event.key == "/registry/namespaces/going"
            and b"deletionTimestamp" in (event.record.value if event.record else b"")
        ]
        assert marked
        assert all(revision < marked[0] for revision in made)

    run(test, seed=seed)


def test_a_kind_that_is_defined_by_way_of_one_server_is_served_by_the_other() -> None:
    definition = {
        "metadata": {"name": "crontabs.stable.example.com"},
        "spec": {
            "group": "stable.example.com",
            "scope": "Namespaced",
            "names": {"plural": "crontabs", "singular": "crontab", "kind": "CronTab"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object"}},
                }
            ],
        },
    }

    async def test(servers):
        resource = "customresourcedefinitions.apiextensions.k8s.io"
        await servers[0].create(resource, definition, "")
        async with asyncio.timeout(10):
            while True:
                found = await servers[0].get(resource, definition["metadata"]["name"], "")
                if "Established" in str(found.get("status")):
                    break
                await asyncio.sleep(0.001)
        made = {"apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": "x"}}
        await servers[1].create("crontabs.stable.example.com", made)
        assert await servers[0].exists("crontabs.stable.example.com", "x")
        conditions = [one["type"] for one in found["status"]["conditions"]]
        assert len(set(conditions)) == len(conditions)

    run(test)


def test_generated_names_of_two_servers_do_not_meet() -> None:
    async def test(servers):
        async def make(number):
            body = {"metadata": {"generateName": "x-"}}
            found = await servers[number % 2].create("configmaps", body)
            return found["metadata"]["name"], found["metadata"]["uid"]

        made = await asyncio.gather(*(make(number) for number in range(60)))
        assert len({name for name, _ in made}) == len({uid for _, uid in made}) == 60

    run(test)


LEASES = "leases.coordination.k8s.io"


def lease(holder, transitions=0):
    spec = {"holderIdentity": holder, "leaseTransitions": transitions, "leaseDurationSeconds": 15}
    return {"metadata": {"name": "leader"}, "spec": spec}


def led(name, identity, transitions=0):
    fence = Fence("default", "leader", identity, transitions)
    return rw.create("configmaps", rw.config_map(name), fence=fence)


@pytest.mark.parametrize(
    ("identity", "transitions", "why"),
    [
        ("b", 0, 'but the lease is held by "a" now'),
        ("a", 1, "but the lease is in its term 0 now"),
    ],
)
def test_who_does_not_lead_by_the_lease_writes_nothing(identity, transitions, why) -> None:
    async def test(servers):
        await servers[0].create(LEASES, lease("a"))
        await servers[1].do(led("mine", "a"))
        with pytest.raises(errors.Conflict, match=why):
            await servers[1].do(led("other", identity, transitions))
        assert await servers[0].exists("configmaps", "mine")
        assert not await servers[0].exists("configmaps", "other")

    run(test)


def test_a_write_that_was_held_up_is_refused_once_another_leads() -> None:
    async def test(servers):
        held = await servers[0].create(LEASES, lease("a"))
        servers.views[0].stick()
        late = servers[0].group.spawn(settled(servers[0].do(led("late", "a"))), "late")
        await asyncio.sleep(1)
        taken = held | {"spec": lease("b", 1)["spec"]}
        await servers[1].update(LEASES, taken)
        servers.views[0].unstick()
        refused = await late
        assert isinstance(refused, errors.Conflict)
        assert 'the lease is held by "b" now' in refused.message
        assert not await servers[1].exists("configmaps", "late")

    run(test)


def test_a_lease_that_is_only_renewed_holds_no_write_up() -> None:
    async def test(servers):
        await servers[0].create(LEASES, lease("a"))
        ends = asyncio.Event()

        async def renew():
            number = 0
            while not ends.is_set():
                number += 1
                time = f"2026-01-01T00:00:00.{number:06d}Z"
                await servers[1].patch(LEASES, "leader", {"spec": {"renewTime": time}})

        renewing = servers[0].group.spawn(renew(), "renew")
        for number in range(20):
            await servers[0].do(led(f"c{number}", "a"))
        ends.set()
        await renewing
        page = await servers[1].registry.list("configmaps", "default")
        assert len(page.items) == 20

    run(test)


def test_a_leader_may_write_its_own_lease_whatever_its_fence_says() -> None:
    async def test(servers):
        held = await servers[0].create(LEASES, lease("a"))
        held["spec"]["holderIdentity"] = "c"
        operation = Operation(
            Verb.UPDATE, LEASES, "default", "leader",
            body=rw.msgspec.json.encode(held), fence=Fence("default", "leader", "b", 7),
        )  # fmt: skip
        await servers[1].do(operation)
        assert (await servers[0].get(LEASES, "leader"))["spec"]["holderIdentity"] == "c"

    run(test)
