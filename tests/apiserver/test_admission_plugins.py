"""The built-in admission plugins: what each adds, and what it refuses in which words."""

import asyncio

import pytest
import registry_world as rw

from cluster.aio import virtual
from cluster.api import errors, identity
from cluster.api.operations import Operation, Verb
from cluster.apiserver.admission import defaults, tolerations

STORAGE = "storageclasses.storage.k8s.io"


def run(test, *enable, **configuration):
    selection = defaults.Selection(enable=enable, configuration=configuration)

    async def main():
        async with rw.world(admission=defaults.chain(selection=selection)) as world:
            await test(world)

    virtual.run(main())


def pod(name="web", **spec):
    made = rw.pod(name)
    made["spec"] |= spec
    return made


def container(name="c", **resources):
    return {"name": name, "image": "i", "resources": resources}


async def refused(world, resource, obj, namespace="default"):
    with pytest.raises(errors.StatusError) as error:
        await world.create(resource, obj, namespace)
    return error.value.message


def limit_range(**limit):
    limit.setdefault("type", "Container")
    return {"metadata": {"name": "limits"}, "spec": {"limits": [limit]}}


def test_containers_get_what_the_namespace_gives_and_the_pod_says_so():
    async def test(world):
        given = {"cpu": "500m", "memory": "64Mi"}
        await world.create("limitranges", limit_range(default=given, defaultRequest={"cpu": "1m"}))
        own = pod(containers=[container("a"), container("b", limits={"cpu": "1"})])
        own["spec"]["initContainers"] = [container("i")]
        made = await world.create("pods", own)
        first, second = (each["resources"] for each in made["spec"]["containers"])
        assert first["limits"] == given
        assert first["requests"]["cpu"] == "1m"
        assert second["limits"] == {"cpu": "1", "memory": "64Mi"}
        note = made["metadata"]["annotations"]["kubernetes.io/limit-ranger"]
        assert note == (
            "LimitRanger plugin set: cpu, memory request for container a; cpu, memory limit for "
            "container a; memory request for container b; memory limit for container b; cpu, "
            "memory request for init container i; cpu, memory limit for init container i"
        )

    run(test)


BOUNDS = [
    ({"min": {"cpu": "100m"}}, {"requests": {"cpu": "50m"}, "limits": {"cpu": "1"}},
     "minimum cpu usage per Container is 100m, but request is 50m"),
    ({"max": {"cpu": "1"}}, {"limits": {"cpu": "2"}}, "maximum cpu usage per Container is 1, but limit is 2"),  # noqa: E501
    ({"max": {"memory": "1Gi"}, "default": {}}, {"limits": {"memory": "2Gi"}},
     "maximum memory usage per Container is 1Gi, but limit is 2Gi"),
    ({"maxLimitRequestRatio": {"cpu": "2"}}, {"requests": {"cpu": "1"}, "limits": {"cpu": "3"}},
     "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000"),
    ({"maxLimitRequestRatio": {"cpu": "2"}}, {},
     "cpu max limit to request ratio per Container is 2, but no request is specified or request is 0"),  # noqa: E501
    ({"type": "Pod", "max": {"cpu": "1"}}, {"limits": {"cpu": "2"}},
     "maximum cpu usage per Pod is 1, but limit is 2"),
    ({"type": "Pod", "max": {"cpu": "1"}}, {}, "maximum cpu usage per Pod is 1.  No limit is specified"),  # noqa: E501
    ({"type": "Pod", "min": {"memory": "1Gi"}}, {},
     "minimum memory usage per Pod is 1Gi.  No request is specified"),
    ({"type": "Pod", "max": {"cpu": "1", "memory": "1Gi"}}, {},
     "[maximum cpu usage per Pod is 1.  No limit is specified, maximum memory usage per Pod is "
     "1Gi.  No limit is specified]"),
]  # fmt: skip


@pytest.mark.parametrize(("limit", "resources", "why"), BOUNDS)
def test_a_limit_range_refuses_in_these_words(limit, resources, why):
    async def test(world):
        await world.create("limitranges", limit_range(**limit))
        text = await refused(world, "pods", pod(containers=[container(**resources)]))
        assert text == f'pods "web" is forbidden: {why}'

    run(test)


def claim(name="c", size="1Gi", **spec):
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}} | spec
    return {"metadata": {"name": name}, "spec": spec}


def test_claims_have_limits_too():
    async def test(world):
        bounds = {"min": {"storage": "1Gi"}, "max": {"storage": "2Gi"}}
        await world.create("limitranges", limit_range(type="PersistentVolumeClaim", **bounds))
        start = "usage per PersistentVolumeClaim is"
        text = await refused(world, "persistentvolumeclaims", claim(size="3Gi"))
        assert text.endswith(f"maximum storage {start} 2Gi, but request is 3Gi")
        text = await refused(world, "persistentvolumeclaims", claim(size="1Mi"))
        assert text.endswith(f"minimum storage {start} 1Gi, but request is 1Mi")
        await world.create("persistentvolumeclaims", claim())

    run(test)


def test_claims_and_volumes_are_protected():
    async def test(world):
        made = await world.create("persistentvolumeclaims", claim())
        assert made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]

    run(test)


def storage_class(name, *, default=False, **more):
    notes = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {"metadata": {"name": name, "annotations": notes}, "provisioner": "p", **more}


def test_claims_get_the_newest_default_class():
    async def test(world):
        await world.create(STORAGE, storage_class("a", default=True), "")
        await asyncio.sleep(2)
        await world.create(STORAGE, storage_class("b", default=True), "")
        await world.create(STORAGE, storage_class("c"), "")
        made = await world.create("persistentvolumeclaims", claim())
        assert made["spec"]["storageClassName"] == "b"
        made = await world.create("persistentvolumeclaims", claim("d", storageClassName=""))
        assert made["spec"]["storageClassName"] == ""

    run(test)


def test_only_bound_claims_of_growing_classes_grow():
    async def test(world):
        await world.create(STORAGE, storage_class("gold", allowVolumeExpansion=True), "")
        await world.create(STORAGE, storage_class("tin"), "")
        larger = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
        for name, cls in (("g", "gold"), ("t", "tin")):
            await world.create("persistentvolumeclaims", claim(name, storageClassName=cls))
        with pytest.raises(errors.StatusError):
            await world.patch("persistentvolumeclaims", "g", larger)
        for name in ("g", "t"):
            bound = {"status": {"phase": "Bound"}}
            await world.patch("persistentvolumeclaims", name, bound, subresource="status")
        await world.patch("persistentvolumeclaims", "g", larger)
        with pytest.raises(errors.Forbidden, match="must support resize"):
            await world.patch("persistentvolumeclaims", "t", larger)

    run(test)


def test_pods_carry_what_their_runtime_class_says():
    async def test(world):
        cls = {
            "metadata": {"name": "guest"}, "handler": "vm",
            "overhead": {"podFixed": {"cpu": "250m"}},
            "scheduling": {"nodeSelector": {"kind": "vm"},
                           "tolerations": [{"key": "vm", "operator": "Exists"}]},
        }  # fmt: skip
        await world.create("runtimeclasses.node.k8s.io", cls, "")
        made = await world.create("pods", pod(runtimeClassName="guest", nodeSelector={"a": "b"}))
        spec = made["spec"]
        assert spec["overhead"] == {"cpu": "250m"}
        assert spec["nodeSelector"] == {"a": "b", "kind": "vm"}
        assert {"key": "vm", "operator": "Exists"} in spec["tolerations"]
        wrong = pod("w", runtimeClassName="guest", overhead={"cpu": "1"})
        assert "Pod's Overhead doesn't match RuntimeClass's" in await refused(world, "pods", wrong)
        wrong = pod("w", runtimeClassName="guest", nodeSelector={"kind": "metal"})
        assert await refused(world, "pods", wrong) == (
            'pods "w" is forbidden: conflict: runtimeClass.scheduling.nodeSelector[kind] = vm; '
            "pod.spec.nodeSelector[kind] = metal"
        )

    run(test)


def test_a_cluster_is_born_with_a_class_for_containers_and_one_for_guests():
    async def test(world):
        taken = {}
        for name in ("container", "vm"):
            made = await world.create("pods", pod(name, runtimeClassName=name))
            taken[name] = made["spec"]["overhead"]
        assert taken["container"] == {"cpu": "5m", "memory": "16Mi"}
        assert taken["vm"] == {"cpu": "250m", "memory": "1Gi"}

    run(test)


def test_an_unknown_runtime_class_and_an_overhead_of_nobody_are_refused():
    async def test(world):
        text = await refused(world, "pods", pod(runtimeClassName="none"))
        assert text == 'pods "web" is forbidden: pod rejected: RuntimeClass "none" not found'
        text = await refused(world, "pods", pod(overhead={"cpu": "1"}))
        assert "Pod Overhead set without corresponding RuntimeClass" in text

    run(test)


def test_ingresses_get_the_default_class():
    async def test(world):
        notes = {"ingressclass.kubernetes.io/is-default-class": "true"}
        cls = {"metadata": {"name": "nginx", "annotations": notes}, "spec": {"controller": "a.b/c"}}
        await world.create("ingressclasses.networking.k8s.io", cls, "")
        backend = {"service": {"name": "s", "port": {"number": 80}}}
        made = await world.create(
            "ingresses.networking.k8s.io",
            {"metadata": {"name": "i"}, "spec": {"defaultBackend": backend}},
        )
        assert made["spec"]["ingressClassName"] == "nginx"

    run(test)


def test_images_are_always_pulled():
    async def test(world):
        own = pod()
        own["spec"]["containers"][0]["imagePullPolicy"] = "Never"
        made = await world.create("pods", own)
        assert made["spec"]["containers"][0]["imagePullPolicy"] == "Always"

    run(test, "AlwaysPullImages")


def test_pods_that_want_a_device_tolerate_its_taint():
    async def test(world):
        gpu = {"example.com/gpu": "1"}
        made = await world.create("pods", pod(containers=[container(requests=gpu, limits=gpu)]))
        assert {"key": "example.com/gpu", "operator": "Exists"} in made["spec"]["tolerations"]

    run(test, "ExtendedResourceToleration")


def test_anti_affinity_keeps_to_nodes():
    async def test(world):
        term = {"topologyKey": "zone", "labelSelector": {}}
        terms = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
        wrong = pod(affinity={"podAntiAffinity": terms})
        assert await refused(world, "pods", wrong) == (
            'pods "web" is forbidden: affinity.PodAntiAffinity.RequiredDuringScheduling has '
            "TopologyKey zone but only key kubernetes.io/hostname is allowed"
        )

    run(test, "LimitPodHardAntiAffinityTopology")


def test_external_addresses_are_nobodys():
    async def test(world):
        spec = {"ports": [{"port": 80}], "externalIPs": ["1.2.3.4"]}
        wrong = {"metadata": {"name": "s"}, "spec": spec}
        text = await refused(world, "services", wrong)
        assert text.endswith("Use of external IPs is denied by admission control")

    run(test, "DenyServiceExternalIPs")


def test_everything_can_be_denied():
    async def test(world):
        pass

    with pytest.raises(errors.Forbidden, match="admission control is denying all modifications"):
        run(test, "AlwaysDeny")


def test_a_namespace_keeps_its_pods_on_some_nodes():
    async def test(world):
        notes = {"scheduler.alpha.kubernetes.io/node-selector": "disk=ssd"}
        await world.patch("namespaces", "default", {"metadata": {"annotations": notes}}, "")
        made = await world.create("pods", pod(nodeSelector={"a": "b"}))
        assert made["spec"]["nodeSelector"] == {"a": "b", "disk": "ssd"}
        text = await refused(world, "pods", pod("w", nodeSelector={"disk": "hdd"}))
        assert text.endswith("conflicts with its namespace node label selector")
        text = await refused(world, "pods", pod("w", nodeSelector={"b": "c"}))
        assert text.endswith("labels conflict with its namespace whitelist")

    told = {"podNodeSelectorPluginConfig": {"default": "disk=ssd,a=b"}}
    run(test, "PodNodeSelector", PodNodeSelector=told)


def test_a_namespace_says_what_its_pods_tolerate():
    async def test(world):
        notes = {
            "scheduler.alpha.kubernetes.io/defaultTolerations": '[{"key":"a","operator":"Exists"}]'
        }
        await world.patch("namespaces", "default", {"metadata": {"annotations": notes}}, "")
        made = await world.create("pods", pod())
        assert {"key": "a", "operator": "Exists"} in made["spec"]["tolerations"]
        text = await refused(world, "pods", pod("w", tolerations=[{"key": "b", "value": "c"}]))
        assert text.endswith("conflict with its cluster whitelist")

    listed = [{"key": "a", "operator": "Exists"}, {"operator": "Exists", "effect": "NoExecute"}]
    run(test, "PodTolerationRestriction", PodTolerationRestriction={"whitelist": listed})


MERGED = [
    ([{"key": "a", "operator": "Exists"}], [{"key": "a", "value": "b"}], 1),
    ([{"key": "a", "value": "b"}], [{"key": "a", "value": "c"}], 2),
    ([{"operator": "Exists"}], [{"key": "a"}, {"key": "b", "effect": "NoSchedule"}], 1),
    ([{"key": "a"}], [{"operator": "Exists"}], 1),
    ([{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
     [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 9}], 1),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second", "left"), MERGED)
def test_tolerations_that_others_cover_are_left_out(first, second, left):
    assert len(tolerations.merged(first, second)) == left


def test_events_come_no_faster_than_allowed():
    async def test(world):
        def event(n):
            about = {"kind": "Pod", "namespace": "default", "name": "p"}
            return {"metadata": {"name": f"e{n}"}, "involvedObject": about, "reason": "R"}

        for n in range(2):
            await world.create("events", event(n))
        with pytest.raises(errors.TooManyRequests, match="limit reached on type Namespace for key"):
            await world.create("events", event(2))
        await asyncio.sleep(1.01)
        await world.create("events", event(2))

    limits = {"limits": [{"type": "Namespace", "qps": 1, "burst": 2}]}
    run(test, "EventRateLimit", EventRateLimit=limits)


NODE = identity.User("system:node:n1", ("system:nodes", "system:authenticated"))


async def as_node(world, operation, user=NODE):
    (result,) = await world.registry.write([operation], user)
    return result.message if isinstance(result, errors.StatusError) else ""


def mirror(node="n1", uid="", **meta):
    owner = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": uid, "controller": True}
    notes = {"kubernetes.io/config.mirror": "x"}
    made = rw.pod("mirror", node=node, annotations=notes, ownerReferences=[owner])
    made["metadata"] |= meta
    return made


def test_a_kubelet_keeps_to_its_node_and_its_pods():
    async def test(world):
        node = {"metadata": {"name": "n1"}}
        assert await as_node(world, rw.create("nodes", node, "")) == ""
        uid = (await world.get("nodes", "n1", ""))["metadata"]["uid"]
        await world.create("nodes", {"metadata": {"name": "n2"}}, "")
        for name, host in (("own", "n1"), ("other", "n2")):
            await world.create("pods", rw.pod(name, node=host))
        done = {"status": {"phase": "Running"}}
        label = {"metadata": {"labels": {"a": "b"}}}
        bad_label = {"metadata": {"labels": {"node-restriction.kubernetes.io/a": "b"}}}
        role = {"metadata": {"labels": {"node-role.kubernetes.io/x": ""}}}
        taint = {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}
        lease = {"metadata": {"name": "n1"}}
        cases = [
            (rw.create("nodes", {"metadata": {"name": "n3"}}, ""), 'is not allowed to modify node "n3"'),  # noqa: E501
            (rw.patch("nodes", "n2", label, ""), 'node "n1" is not allowed to modify node "n2"'),
            (rw.patch("nodes", "n1", label, ""), ""),
            (rw.patch("nodes", "n1", bad_label, ""), "is not allowed to modify labels: node-restriction"),  # noqa: E501
            (rw.patch("nodes", "n1", role, ""), "is not allowed to modify labels: node-role"),
            (rw.patch("nodes", "n1", taint, ""), 'node "n1" is not allowed to modify taints'),
            (rw.patch("pods", "own", done, subresource="status"), ""),
            (rw.patch("pods", "own", label, subresource="status"), "cannot update labels through pod status"),  # noqa: E501
            (rw.patch("pods", "own", label), "can only create and delete mirror pods"),
            (rw.patch("pods", "other", done, subresource="status"), "with spec.nodeName set to itself"),  # noqa: E501
            (rw.delete("pods", "other"), 'node "n1" can only delete pods with spec.nodeName'),
            (rw.delete("pods", "own", gracePeriodSeconds=0), ""),
            (rw.create("pods", rw.pod("plain", node="n1")), "can only create mirror pods"),
            (rw.create("pods", mirror("n2", uid)), "can only create pods with spec.nodeName set"),
            (rw.create("pods", mirror(uid="other")), "UID mismatch"),
            (rw.create("pods", mirror(uid=uid, ownerReferences=[])), "an owner reference set to itself"),  # noqa: E501
            (rw.create("pods", mirror(uid=uid)), ""),
            (rw.create("leases.coordination.k8s.io", lease), "can only access leases in the"),
            (rw.create("leases.coordination.k8s.io", lease, "kube-node-lease"), ""),
            (rw.create("leases.coordination.k8s.io", {"metadata": {"name": "n2"}}, "kube-node-lease"),  # noqa: E501
             "can only access node lease with the same name as the requesting node"),
            (rw.create("persistentvolumeclaims", claim()), "may only update PVC status"),
            (Operation(Verb.DELETE, "nodes", "", "n2"), "is not allowed to modify node"),
        ]  # fmt: skip
        for operation, why in cases:
            told = await as_node(world, operation)
            assert why in told, (operation, told)
            assert bool(why) == bool(told), (operation, told)

    run(test, "NodeRestriction")


def test_nobodys_node_is_refused_and_a_hollow_process_is_no_node():
    async def test(world):
        node = {"metadata": {"name": "n1"}}
        nobody = identity.User("system:nobody", ("system:nodes",))
        told = await as_node(world, rw.create("nodes", node, ""), nobody)
        assert 'could not determine node from user "system:nobody"' in told
        hollow = identity.User("kubemu:hollow-node:h", ("kubemu:hollow-nodes",))
        assert await as_node(world, rw.create("nodes", node, ""), hollow) == ""

    run(test, "NodeRestriction")


def secured(name, exempt=False, **labels):
    found = {f"pod-security.kubernetes.io/{k.replace('_', '-')}": v for k, v in labels.items()}
    return {"metadata": {"name": name, "labels": found}}


async def warned(world, operation):
    told = []
    (result,) = await world.registry.write([operation], rw.USER, lambda _, text: told.append(text))
    assert not isinstance(result, errors.StatusError), result
    return told


def test_namespaces_refuse_and_warn_as_they_ask():
    async def test(world):
        await world.create("namespaces", secured("strict", enforce="restricted"), "")
        await world.create("namespaces", secured("mild", enforce="baseline", warn="restricted"), "")
        for space in ("strict", "mild"):
            await world.create("serviceaccounts", {"metadata": {"name": "default"}}, space)
        text = await refused(world, "pods", pod(), "strict")
        assert text.startswith(
            'pods "web" is forbidden: violates PodSecurity "restricted:latest": '
            'allowPrivilegeEscalation != false (container "main" must set '
            "securityContext.allowPrivilegeEscalation=false), unrestricted capabilities"
        )
        (warning,) = await warned(world, rw.create("pods", pod(), "mild"))
        assert warning.startswith('would violate PodSecurity "restricted:latest": allowPriv')
        template = {"metadata": {"labels": {"a": "b"}}, "spec": pod(hostPID=True)["spec"]}
        spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
        deployment = {"metadata": {"name": "d"}, "spec": spec}
        (warning,) = await warned(world, rw.create("deployments.apps", deployment, "mild"))
        assert (
            'would violate PodSecurity "restricted:latest": host namespaces (hostPID=true), '
            in (warning)
        )
        assert await warned(world, rw.create("deployments.apps", deployment, "strict")) == []
        text = await refused(world, "pods", pod("p", hostPID=True), "mild")
        assert text == (
            'pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces '
            "(hostPID=true)"
        )

    run(test)


def test_a_namespace_that_grows_stricter_names_the_pods_that_do_not_fit():
    async def test(world):
        for name in ("b", "a", "c"):
            await world.create("pods", pod(name, hostPID=name != "c"))
        patch = {"metadata": secured("x", enforce="baseline")["metadata"] | {"name": "default"}}
        told = await warned(world, rw.patch("namespaces", "default", patch, ""))
        assert told == [
            'existing pods in namespace "default" violate the new PodSecurity enforce level '
            '"baseline:latest"',
            "a (and 1 other pod): host namespaces",
        ]
        patch = {"metadata": secured("x", enforce="privileged")["metadata"] | {"name": "default"}}
        assert await warned(world, rw.patch("namespaces", "default", patch, "")) == []

    run(test)


def test_wrong_labels_of_a_namespace_are_invalid():
    async def test(world):
        text = await refused(world, "namespaces", secured("x", enforce="strict"), "")
        assert text == (
            'Namespace "x" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid '  # noqa: E501
            'value: "strict": must be one of privileged, baseline, restricted'
        )

    run(test)


def test_exempt_are_those_that_the_configuration_names():
    async def test(world):
        await world.create("namespaces", secured("free"), "")
        await world.create("serviceaccounts", {"metadata": {"name": "default"}}, "free")
        await world.create("pods", pod(hostPID=True), "free")
        assert "violates PodSecurity" in await refused(world, "pods", pod(hostPID=True))
        free = rw.create("pods", pod(hostPID=True))
        assert await as_node(world, free, identity.User("root")) == ""
        patch = {"metadata": secured("x", warn="restricted")["metadata"] | {"name": "free"}}
        (told,) = await warned(world, rw.patch("namespaces", "free", patch, ""))
        assert told == (
            'namespace "free" is exempt from Pod Security, and the policy '
            "(enforce=baseline:latest, warn=restricted:latest) will be ignored"
        )

    run(test, PodSecurity={
        "defaults": {"enforce": "baseline"},
        "exemptions": {"namespaces": ["free"], "usernames": ["root"]},
    })  # fmt: skip


def test_an_update_that_changes_nothing_of_note_is_let_pass():
    async def test(world):
        await world.create("pods", pod(hostPID=True))
        patch = {"metadata": secured("x", enforce="baseline")["metadata"] | {"name": "default"}}
        await world.patch("namespaces", "default", patch, "")
        await world.patch("pods", "web", {"metadata": {"labels": {"a": "b"}}})
        found = await world.get("pods", "web")
        found["spec"]["containers"][0]["image"] = "x"
        with pytest.raises(errors.Forbidden, match="violates PodSecurity"):
            await world.update("pods", found)

    run(test)
