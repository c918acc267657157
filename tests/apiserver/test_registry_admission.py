"""Admission: what plugins add to objects, and what they refuse."""

import asyncio
import random

import pytest
import registry_world as rw

from cluster.aio import virtual
from cluster.api import errors
from cluster.apiserver.admission import defaults, pool


def run(test, **options):
    async def main():
        async with rw.world(**options) as world:
            await test(world)

    virtual.run(main())


def test_a_cluster_is_born_with_its_namespaces_and_service():
    async def test(world):
        namespaces = await world.registry.list("namespaces")
        assert [entry.name for entry in namespaces.items] == [
            "default", "kube-node-lease", "kube-public", "kube-system",
        ]  # fmt: skip
        service = await world.get("services", "kubernetes")
        assert service["spec"]["clusterIP"] == "10.96.0.1"
        critical = await world.get("priorityclasses.scheduling.k8s.io", "system-node-critical", "")
        assert critical["value"] == 2_000_001_000
        for name in [entry.name for entry in namespaces.items]:
            with pytest.raises(errors.Forbidden, match="this namespace may not be deleted"):
                await world.delete("namespaces", name, "")

    run(test)


def test_a_second_opening_makes_nothing_new():
    store = rw.MemoryStorage()

    async def test(world):
        pass

    run(test, store=store)
    before = store.revision
    run(test, store=store)
    assert store.revision == before > 0


TOLERATIONS = [
    ([], 2),
    ([{"operator": "Exists"}], 0),
    ([{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}], 1),
    ([{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoSchedule"}], 2),
    ([{"key": "mine", "operator": "Exists"}], 2),
]


@pytest.mark.parametrize(("own", "added"), TOLERATIONS)
def test_pods_tolerate_a_lost_node_for_a_while(own, added):
    async def test(world):
        obj = rw.pod()
        if own:
            obj["spec"]["tolerations"] = own
        made = await world.create("pods", obj)
        found = made["spec"].get("tolerations", [])
        assert found[: len(own)] == own
        assert [t["tolerationSeconds"] for t in found[len(own) :]] == [300] * added

    run(test)


def test_how_long_pods_tolerate_a_lost_node_can_be_set():
    async def test(world):
        made = await world.create("pods", rw.pod())
        seconds = {t["key"]: t["tolerationSeconds"] for t in made["spec"]["tolerations"]}
        assert seconds == {"node.kubernetes.io/not-ready": 3, "node.kubernetes.io/unreachable": 5}

    tolerations = defaults.TolerationSeconds(not_ready=3, unreachable=5)
    run(test, admission=defaults.chain(toleration_seconds=tolerations))


def test_pods_run_as_the_default_service_account():
    async def test(world):
        assert (await world.create("pods", rw.pod()))["spec"]["serviceAccountName"] == "default"
        named = rw.pod("b")
        named["spec"]["serviceAccountName"] = "robot"
        await world.create("serviceaccounts", {"metadata": {"name": "robot"}})
        assert (await world.create("pods", named))["spec"]["serviceAccount"] == "robot"

    run(test)


def priority_class(name, value, **more):
    return {"metadata": {"name": name}, "value": value, **more}


def test_pods_get_the_number_of_their_priority_class():
    async def test(world):
        def pod(name, priority_class_name):
            obj = rw.pod(name)
            obj["spec"]["priorityClassName"] = priority_class_name
            return obj

        made = await world.create("pods", rw.pod("plain"))
        assert made["spec"]["priority"] == 0
        made = await world.create("pods", pod("system", "system-cluster-critical"))
        assert made["spec"]["priority"] == 2_000_000_000
        with pytest.raises(errors.Forbidden, match="no PriorityClass with name none was found"):
            await world.create("pods", pod("lost", "none"))
        classes = "priorityclasses.scheduling.k8s.io"
        await world.create(
            classes, priority_class("mid", 7, globalDefault=True, preemptionPolicy="Never"), ""
        )
        made = await world.create("pods", rw.pod("other"))
        spec = made["spec"]
        assert (spec["priority"], spec["priorityClassName"], spec["preemptionPolicy"]) == (
            7, "mid", "Never",
        )  # fmt: skip
        with pytest.raises(errors.Forbidden, match="mid is already marked as default"):
            await world.create(classes, priority_class("top", 9, globalDefault=True), "")
        wrong = pod("wrong", "mid")
        wrong["spec"]["priority"] = 8
        with pytest.raises(errors.Forbidden, match="must not be provided in pod spec"):
            await world.create("pods", wrong)

    run(test)


def test_new_nodes_are_tainted_until_they_are_ready():
    async def test(world):
        made = await world.create("nodes", {"metadata": {"name": "n1"}}, "")
        taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
        assert made["spec"]["taints"] == [taint]

    run(test)


def service(name="web", type="ClusterIP", **spec):
    return {
        "metadata": {"name": name},
        "spec": {"type": type, "ports": [{"port": 80}], "selector": {"a": "b"}, **spec},
    }


def test_services_get_addresses_of_their_own():
    async def test(world):
        batch = [rw.create("services", service(f"s{n}", "NodePort")) for n in range(30)]
        more = [rw.create("services", service(f"t{n}", "NodePort")) for n in range(30)]
        both = await asyncio.gather(
            world.registry.write(batch, rw.USER), world.registry.write(more, rw.USER)
        )
        specs = [entry.document()["spec"] for results in both for entry in results]
        addresses = {spec["clusterIP"] for spec in specs}
        ports = {spec["ports"][0]["nodePort"] for spec in specs}
        assert len(addresses) == len(ports) == 60
        assert all(address.startswith("10.") for address in addresses)
        assert all(30000 <= port <= 32767 for port in ports)
        assert all(spec["clusterIPs"] == [spec["clusterIP"]] for spec in specs)

    run(test, store=rw.LateStorage())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ipFamilyPolicy": "RequireDualStack"},
         'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured '
         "for dual-stack services"),
        ({"ipFamilies": ["IPv6"]},
         'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'),
        ({"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv4", "IPv6"]},
         'spec.ipFamilies[1]: Invalid value: "IPv6": not configured on this cluster'),
    ],
)  # fmt: skip
def test_a_family_that_the_cluster_has_not_is_refused(given, said):
    async def test(world):
        with pytest.raises(errors.Invalid) as refused:
            await world.create("services", service("six", "ClusterIP", **given))
        assert refused.value.message == f'Service "six" is invalid: {said}'
        prefers = service("four", "ClusterIP", ipFamilyPolicy="PreferDualStack")
        made = await world.create("services", prefers)
        assert made["spec"]["ipFamilies"] == ["IPv4"]
        bare = service("bare", "ClusterIP", clusterIP="None", **given)
        del bare["spec"]["selector"]
        assert (await world.create("services", bare))["spec"]["clusterIP"] == "None"

    run(test)


def test_an_address_may_be_chosen_once():
    async def test(world):
        chosen = service("a", "NodePort", clusterIP="10.96.0.50")
        chosen["spec"]["ports"][0]["nodePort"] = 30080
        first, second = await asyncio.gather(
            world.create("services", chosen),
            world.create("services", {**chosen, "metadata": {"name": "b"}}),
            return_exceptions=True,
        )
        assert first["spec"]["clusterIP"] == "10.96.0.50"
        assert isinstance(second, errors.Invalid)
        assert second.message == (
            'Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.50"]: failed to '
            "allocate IP 10.96.0.50: provided IP is already allocated"
        )
        other = service("c", "NodePort")
        other["spec"]["ports"][0]["nodePort"] = 30080
        with pytest.raises(errors.Invalid, match="provided port is already allocated"):
            await world.create("services", other)
        await world.delete("services", "a")
        await world.create("services", {**chosen, "metadata": {"name": "d"}})

    run(test, store=rw.LateStorage())


def test_addresses_outside_the_ranges_are_refused():
    async def test(world):
        with pytest.raises(errors.Invalid, match=r"The range of valid IPs is 10\.96\.0\.0/12"):
            await world.create("services", service(clusterIP="192.168.0.1"))
        outside = service(type="NodePort")
        outside["spec"]["ports"][0]["nodePort"] = 80
        with pytest.raises(errors.Invalid, match="The range of valid ports is 30000-32767"):
            await world.create("services", outside)
        assert not await world.exists("services", "web")

    run(test)


def test_a_health_check_port_may_be_chosen_once():
    def balanced(name, port):
        spec = {"externalTrafficPolicy": "Local", "healthCheckNodePort": port}
        return service(name, "LoadBalancer", **spec)

    async def test(world):
        made = await world.create("services", balanced("a", 30100))
        assert made["spec"]["healthCheckNodePort"] == 30100
        for name, port, why in (
            ("b", 30100, "provided port is already allocated"),
            ("c", 80, "provided port is not in the valid range. The range of valid ports is "),
        ):
            with pytest.raises(errors.InternalError) as refusal:
                await world.create("services", balanced(name, port))
            assert refusal.value.message.startswith(
                "Internal error occurred: failed to allocate requested HealthCheck NodePort "
                f"{port}: {why}"
            )
        again = await world.patch("services", "a", {"metadata": {"labels": {"x": "y"}}})
        assert again["spec"]["healthCheckNodePort"] == 30100
        await world.delete("services", "a")
        await world.create("services", balanced("b", 30100))

    run(test)


def test_a_failed_create_gives_its_address_back():
    async def test(world):
        bad = service("x", "NodePort", clusterIP="10.96.0.60")
        bad["spec"]["ports"][0]["nodePort"] = 80
        with pytest.raises(errors.Invalid):
            await world.create("services", bad)
        await world.create("services", service("y", clusterIP="10.96.0.60"))

    run(test)


def test_an_update_keeps_what_was_allocated():
    async def test(world):
        made = await world.create("services", service(type="NodePort"))
        address, port = made["spec"]["clusterIP"], made["spec"]["ports"][0]["nodePort"]
        after = await world.update(
            "services",
            {
                "metadata": made["metadata"],
                "spec": {"type": "NodePort", "ports": [{"port": 80}], "selector": {"c": "d"}},
            },
        )
        assert after["spec"]["clusterIP"] == address
        assert after["spec"]["ports"][0]["nodePort"] == port
        plain = await world.patch("services", "web", {"spec": {"type": "ClusterIP"}})
        assert plain["spec"]["clusterIP"] == address
        assert "nodePort" not in plain["spec"]["ports"][0]

    run(test)


def test_headless_and_external_services_have_no_address():
    async def test(world):
        headless = await world.create("services", service("h", clusterIP="None"))
        assert headless["spec"]["clusterIPs"] == ["None"]
        external = await world.create(
            "services",
            {"metadata": {"name": "e"}, "spec": {"type": "ExternalName", "externalName": "a.b"}},
        )
        assert "clusterIP" not in external["spec"]

    run(test)


def test_two_protocols_of_one_port_share_a_node_port():
    async def test(world):
        dns = service(type="NodePort")
        dns["spec"]["ports"] = [
            {"name": "udp", "port": 53, "protocol": "UDP"},
            {"name": "tcp", "port": 53, "protocol": "TCP"},
            {"name": "web", "port": 80},
        ]
        made = await world.create("services", dns)
        first, second, third = (port["nodePort"] for port in made["spec"]["ports"])
        assert first == second != third

    run(test)


def test_a_pool_gives_each_number_once_and_the_low_ones_last():
    numbers = pool.Pool(20, low=5)
    generator = random.Random(3)
    picked = [numbers.pick("me", generator) for _ in range(20)]
    assert sorted(picked) == list(range(20))
    assert sorted(picked[15:]) == list(range(5))
    with pytest.raises(pool.Full):
        numbers.pick("me", generator)
    numbers.release(7)
    with pytest.raises(pool.Taken):
        numbers.reserve(8, "you")
    numbers.reserve(7, "you")
