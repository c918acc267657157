"""ResourceQuota: what is refused and in which words, and that no interleaving exceeds a quota."""

import asyncio

import pytest
import registry_world as rw
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.aio import virtual
from cluster.api import errors, objects
from cluster.api.quota import measuring
from cluster.apiserver.admission import defaults
from cluster.apiserver.admission.quota import publishing


def run(test, **options):
    async def main():
        async with rw.world(**options) as world:
            await test(world)

    virtual.run(main())


def quota(hard, name="q", **spec):
    return {"metadata": {"name": name}, "spec": {"hard": hard, **spec}}


def pod(name="web", cpu="", memory="", limit="", **spec):
    made = rw.pod(name)
    requests = {key: text for key, text in (("cpu", cpu), ("memory", memory)) if text}
    made["spec"]["containers"][0]["resources"] = {"requests": requests}
    if limit:
        made["spec"]["containers"][0]["resources"]["limits"] = {"cpu": limit}
    made["spec"] |= spec
    return made


def service(name="s", kind="NodePort", ports=2):
    listed = [{"name": f"p{n}", "port": 80 + n} for n in range(ports)]
    return {"metadata": {"name": name}, "spec": {"type": kind, "ports": listed}}


def claim(name="c", size="1Gi", **spec):
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}} | spec
    return {"metadata": {"name": name}, "spec": spec}


REFUSED = [
    ({"pods": "0"}, {}, "pods", pod(),
     "exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0"),
    ({"requests.cpu": "1", "pods": "5"}, {}, "pods", pod(cpu="1500m"),
     "exceeded quota: q, requested: requests.cpu=1500m, used: requests.cpu=0, limited: "
     "requests.cpu=1"),
    ({"requests.memory": "1Gi", "requests.cpu": "1"}, {}, "pods", pod(cpu="2", memory="2Gi"),
     "exceeded quota: q, requested: requests.cpu=2,requests.memory=2Gi, used: "
     "requests.cpu=0,requests.memory=0, limited: requests.cpu=1,requests.memory=1Gi"),
    ({"limits.cpu": "1"}, {}, "pods", pod(cpu="1"),
     "failed quota: q: must specify limits.cpu for: main"),
    ({"limits.cpu": "1", "memory": "1Gi"}, {}, "pods", pod(),
     "failed quota: q: must specify limits.cpu for: main; memory for: main"),
    ({"count/pods": "0"}, {}, "pods", pod(), "requested: count/pods=1, used: count/pods=0"),
    ({"configmaps": "0"}, {}, "configmaps", rw.config_map("a"), "requested: configmaps=1"),
    ({"count/secrets": "0"}, {}, "secrets", {"metadata": {"name": "a"}}, "count/secrets=1"),
    ({"services.nodeports": "1"}, {}, "services", service(), "requested: services.nodeports=2"),
    ({"services.loadbalancers": "0"}, {}, "services", service(kind="LoadBalancer"),
     "requested: services.loadbalancers=1"),
    ({"services": "0"}, {}, "services", service(kind="ClusterIP"), "requested: services=1"),
    ({"requests.storage": "1Gi"}, {}, "persistentvolumeclaims", claim(size="2Gi"),
     "requested: requests.storage=2Gi, used: requests.storage=0, limited: requests.storage=1Gi"),
    ({"gold.storageclass.storage.k8s.io/persistentvolumeclaims": "0"}, {},
     "persistentvolumeclaims", claim(storageClassName="gold"), "exceeded quota: q"),
    ({"requests.example.com/gpu": "1"}, {}, "pods", pod() | {"spec": {"containers": [{
        "name": "c", "image": "i", "resources": {
            "requests": {"example.com/gpu": "2"}, "limits": {"example.com/gpu": "2"}}}]}},
     "requested: requests.example.com/gpu=2"),
    ({"pods": "0"}, {"scopes": ["BestEffort"]}, "pods", pod(), "exceeded quota: q"),
    ({"pods": "0"}, {"scopes": ["NotTerminating"]}, "pods", pod(), "exceeded quota: q"),
    ({"pods": "0"}, {"scopes": ["Terminating"]}, "pods", pod(activeDeadlineSeconds=9), "exceeded"),
    ({"pods": "0"}, {"scopes": ["NotBestEffort"]}, "pods", pod(cpu="1"), "exceeded quota: q"),
    ({"pods": "0"}, {"scopeSelector": {"matchExpressions": [{
        "scopeName": "PriorityClass", "operator": "In", "values": ["system-node-critical"]}]}},
     "pods", pod(priorityClassName="system-node-critical"), "exceeded quota: q"),
    ({"pods": "0"}, {"scopes": ["CrossNamespacePodAffinity"]}, "pods", pod(affinity={
        "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{
            "topologyKey": "zone", "namespaceSelector": {}, "labelSelector": {}}]}}), "exceeded"),
]  # fmt: skip


@pytest.mark.parametrize(("hard", "spec", "resource", "obj", "why"), REFUSED)
def test_what_exceeds_a_quota_is_refused_in_these_words(hard, spec, resource, obj, why):
    async def test(world):
        await world.create("resourcequotas", quota(hard, **spec))
        with pytest.raises(errors.Forbidden) as refusal:
            await world.create(resource, obj)
        assert why in refusal.value.message

    run(test)


ALLOWED = [
    ({"pods": "0"}, {"scopes": ["Terminating"]}, "pods", pod()),
    ({"pods": "0"}, {"scopes": ["NotBestEffort"]}, "pods", pod()),
    ({"pods": "0"}, {"scopes": ["BestEffort"]}, "pods", pod(cpu="1")),
    ({"pods": "0"}, {"scopes": ["PriorityClass"]}, "pods", pod()),
    ({"count/configmaps": "0"}, {}, "secrets", {"metadata": {"name": "a"}}),
    ({"silver.storageclass.storage.k8s.io/requests.storage": "0"}, {},
     "persistentvolumeclaims", claim(storageClassName="gold")),
    ({"services.nodeports": "0"}, {}, "services", service(kind="ClusterIP")),
    ({"requests.cpu": "1500m"}, {}, "pods", pod(cpu="1.5")),
]  # fmt: skip


@pytest.mark.parametrize(("hard", "spec", "resource", "obj"), ALLOWED)
def test_what_a_quota_does_not_count_is_none_of_its_business(hard, spec, resource, obj):
    async def test(world):
        await world.create("resourcequotas", quota(hard, **spec))
        assert await world.create(resource, obj)

    run(test)


def test_room_comes_back_with_what_ends_and_goes():
    async def test(world):
        await world.create("resourcequotas", quota({"pods": "1"}))
        await world.create("pods", pod("a"))
        with pytest.raises(errors.Forbidden):
            await world.create("pods", pod("b"))
        await world.patch("pods", "a", {"status": {"phase": "Succeeded"}}, subresource="status")
        await world.create("pods", pod("b"))
        await world.delete("pods", "b", gracePeriodSeconds=0)
        await world.create("pods", pod("c"))

    run(test)


def test_a_pod_that_should_be_gone_is_held_against_nobody():
    async def test(world):
        await world.create("resourcequotas", quota({"pods": "1"}))
        await world.create("pods", rw.pod("a", node="lost"))
        await world.delete("pods", "a", gracePeriodSeconds=30)
        with pytest.raises(errors.Forbidden):
            await world.create("pods", pod("b"))
        await asyncio.sleep(61)
        await world.create("pods", pod("b"))

    run(test)


def test_a_dry_run_a_refusal_and_a_second_quota_leave_nothing_behind():
    async def test(world):
        await world.create("resourcequotas", quota({"pods": "1"}))
        await world.create("resourcequotas", quota({"pods": "2", "requests.cpu": "1"}, "r"))
        for _ in range(3):
            await world.create("pods", pod("a", cpu="1"), dry_run=True)
            with pytest.raises(errors.Forbidden):
                await world.create("pods", pod("a", cpu="2"))
        await world.create("pods", pod("a", cpu="1"))
        with pytest.raises(errors.Forbidden, match="exceeded quota: q"):
            await world.create("pods", pod("b", cpu="0"))

    run(test)


def test_a_claim_grows_within_the_quota_only():
    async def test(world):
        await world.create("resourcequotas", quota({"requests.storage": "3Gi"}))
        cls = {"metadata": {"name": "gold"}, "provisioner": "p", "allowVolumeExpansion": True}
        await world.create("storageclasses.storage.k8s.io", cls, "")
        await world.create("persistentvolumeclaims", claim(size="2Gi", storageClassName="gold"))
        bound = {"status": {"phase": "Bound"}}
        await world.patch("persistentvolumeclaims", "c", bound, subresource="status")

        def size(text):
            return {"spec": {"resources": {"requests": {"storage": text}}}}

        await world.patch("persistentvolumeclaims", "c", size("3Gi"))
        with pytest.raises(errors.Forbidden, match="requested: requests"):
            await world.patch("persistentvolumeclaims", "c", size("4Gi"))

    run(test)


LIMITED = {"limitedResources": [
    {"resource": "pods", "matchContains": ["cpu"]},
    {"resource": "pods", "matchScopes": [
        {"scopeName": "PriorityClass", "operator": "In", "values": ["system-node-critical"]}]},
]}  # fmt: skip


def test_what_is_limited_needs_a_quota_that_covers_it():
    async def test(world):
        await world.create("pods", pod("free"))
        with pytest.raises(
            errors.Forbidden, match=r"insufficient quota to consume: cpu,requests.c"
        ):
            await world.create("pods", pod("a", cpu="1"))
        with pytest.raises(errors.Forbidden) as refusal:
            await world.create("pods", pod("b", priorityClassName="system-node-critical"))
        assert refusal.value.message == (
            'pods "b" is forbidden: insufficient quota to match these scopes: '
            "[{PriorityClass In [system-node-critical]}]"
        )
        await world.create("resourcequotas", quota({"cpu": "2", "requests.cpu": "2"}))
        await world.create("pods", pod("a", cpu="1"))

    selection = defaults.Selection(configuration={"ResourceQuota": LIMITED})
    run(test, admission=defaults.chain(selection=selection))


def test_concurrent_batches_share_what_is_left():
    async def test(world):
        await world.create("resourcequotas", quota({"pods": "10", "count/configmaps": "7"}))
        batches = [
            [rw.create("pods", pod(f"p{n}-{k}")) for k in range(4)]
            + [rw.create("configmaps", rw.config_map(f"c{n}-{k}")) for k in range(4)]
            for n in range(5)
        ]
        answers = await asyncio.gather(*(world.registry.write(b, rw.USER) for b in batches))
        refused = [one for each in answers for one in each if isinstance(one, errors.Forbidden)]
        assert len(refused) == 10 + 13
        assert len((await world.registry.list("pods", "default")).items) == 10
        assert len((await world.registry.list("configmaps", "default")).items) == 7

    run(test, store=rw.LateStorage())


STEP = st.tuples(
    st.sampled_from(["create", "create", "create", "delete", "end", "wider", "narrower"]),
    st.integers(0, 7),
    st.integers(0, 3),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(STEP, min_size=1, max_size=6), min_size=1, max_size=6))
def test_no_interleaving_exceeds_what_is_allowed_and_the_count_stays_true(batches):
    async def test(world):
        await world.create("resourcequotas", quota({"pods": "4", "requests.cpu": "6"}))
        widest = {"pods": 4, "requests.cpu": 6000}

        def operation(kind, number, cpu):
            name = f"p{number}"
            if kind == "create":
                return rw.create("pods", pod(name, cpu=str(cpu)))
            if kind == "delete":
                return rw.delete("pods", name, gracePeriodSeconds=0)
            if kind == "end":
                done = {"status": {"phase": "Failed"}}
                return rw.patch("pods", name, done, subresource="status")
            pods = 4 + (cpu if kind == "wider" else -cpu)
            widest["pods"] = max(widest["pods"], pods)
            return rw.patch("resourcequotas", "q", {"spec": {"hard": {"pods": str(pods)}}})

        def present():
            entries = world.registry.cache.of("pods").scan("/registry/pods/default/")
            usages = [measuring.of("pods", entry.document()).amounts for entry in entries]
            return {name: sum(u.get(name, 0) for u in usages) for name in widest}

        def check(_event):
            found = present()
            assert all(found[name] <= widest[name] for name in widest), found

        world.registry.cache.of("pods").observe(check)
        steps = [[operation(*step) for step in batch] for batch in batches]
        await asyncio.gather(*(world.registry.write(each, rw.USER) for each in steps))
        (books,) = [p.books for p in world.registry._chain.plugins if p.name == "ResourceQuota"]
        account = books.by_namespace["default"].accounts["q"]
        assert account.used == present()
        assert not any(account.reserved.values())

    run(test, store=rw.LateStorage())


def test_the_status_tells_soon_what_is_used():
    async def test(world):
        chain = world.registry._chain
        for publisher in publishing.publishers(world.registry, chain):
            world.group.spawn(publisher.run(), "quotas")
        made = await world.create("resourcequotas", quota({"pods": "3", "requests.memory": "1Gi"}))
        begun = {"hard": made["spec"]["hard"], "used": {"pods": "0", "requests.memory": "0"}}
        await world.update("resourcequotas", made | {"status": begun}, "status")
        await world.create("pods", pod("a", memory="64Mi"))
        await world.create("pods", pod("b", memory="128Mi"))
        await asyncio.sleep(0.3)

        async def used():
            return objects.status(await world.get("resourcequotas", "q"))["used"]

        assert await used() == {"pods": "2", "requests.memory": "192Mi"}
        await world.delete("pods", "a", gracePeriodSeconds=0)
        await asyncio.sleep(0.3)
        assert await used() == {"pods": "1", "requests.memory": "128Mi"}
        wrong = await world.get("resourcequotas", "q")
        wrong["status"]["used"]["pods"] = "7"
        await world.update("resourcequotas", wrong, "status")
        await asyncio.sleep(0.3)
        assert (await used())["pods"] == "1"
        world.group.cancel()

    run(test)
