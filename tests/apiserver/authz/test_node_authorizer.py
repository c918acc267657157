import asyncio
from random import Random

import pytest
from authz_world import asks

from cluster.aio import virtual
from cluster.api import identity, resources
from cluster.api.operations import Operation, Verb
from cluster.apiserver import codec
from cluster.apiserver.authz.node import Node
from cluster.apiserver.authz.noderefs import NodeReferences
from cluster.apiserver.bootstrap import USER
from cluster.apiserver.registry import Registry
from cluster.storage.memory import MemoryStorage

N1 = identity.User("system:node:n1", ("system:nodes", "system:authenticated"))
FAKE = identity.User("system:node:n1", ("system:authenticated",))


class Still:
    def now(self) -> float:
        return 1_700_000_000.0


def pod(name: str, node: str, **refs: str):
    spec = {
        "nodeName": node,
        "containers": [
            {
                "name": "c",
                "image": "i",
                "envFrom": [{"configMapRef": {"name": refs.get("env", "e")}}],
                "env": [
                    {
                        "name": "K",
                        "valueFrom": {
                            "secretKeyRef": {"name": refs.get("secret", "s"), "key": "k"}
                        },
                    }
                ],
            }
        ],
        "volumes": [{"name": "v", "configMap": {"name": refs.get("volume", "v")}}],
        "imagePullSecrets": [{"name": "pull"}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


async def world() -> Registry:
    store = MemoryStorage()
    await store.open()
    registry = Registry(resources.built_in(), store, clock=Still(), random=Random("n"))
    await registry.open()
    for obj in (pod("p1", "n1", secret="s1"), pod("p2", "n2", secret="s2", volume="v2")):
        await put(registry, Verb.CREATE, obj)
    return registry


async def put(registry: Registry, verb: Verb, obj) -> None:
    name = obj["metadata"]["name"]
    body = codec.document(obj) if verb is Verb.CREATE else b'{"gracePeriodSeconds":0}'
    await registry.one(Operation(verb, "pods", "default", name, body=body), USER)


OWN = "no relationship found between node 'n1' and this object"
TABLE = [
    ("get core secrets", "default", "s1", True, ""),
    ("get core secrets", "default", "pull", True, ""),
    ("get core secrets", "default", "s2", False, OWN),
    ("get core secrets", "other", "s1", False, OWN),
    ("list core secrets", "default", "", False, "No Object name found"),
    ("watch core secrets", "default", "s1", True, ""),
    ("update core secrets", "default", "s1", False, "can only read resources of this type"),
    ("get core configmaps", "default", "e", True, ""),
    ("get core configmaps", "default", "v", True, ""),
    ("get core configmaps", "default", "v2", False, OWN),
    ("get core configmaps", "kube-system", "kubemu-images", True, ""),
    ("update core configmaps", "kube-system", "kubemu-images", False,
     "can only read resources of this type"),
    ("get core configmaps", "default", "kubemu-images", False, OWN),
    ("create core serviceaccounts/token", "default", "default", True, ""),
    ("create core serviceaccounts/token", "default", "x", False, OWN),
    ("get core pods", "default", "p1", True, ""),
    ("get core pods", "default", "p2", False, OWN),
    ("patch core pods/status", "default", "p1", True, ""),
    ("create core pods/binding", "default", "p1", False, ""),
    ("update coordination.k8s.io leases", "kube-node-lease", "n1", True, ""),
    ("update coordination.k8s.io leases", "kube-node-lease", "n2", False,
     "can only access node lease with the same name as the requesting node"),
    ("create coordination.k8s.io leases", "default", "n1", False,
     'can only access leases in the "kube-node-lease" system namespace'),
    ("get core nodes", "", "n1", True, ""),
    ("get core nodes", "", "n2", False, "node 'n1' cannot read 'n2', only its own Node object"),
    ("list core nodes", "", "", False, "node 'n1' cannot read all nodes, only its own Node object"),
    ("patch core nodes/status", "", "n1", True, ""),
    ("create core events", "default", "", True, ""),
    ("delete apps deployments", "default", "d", False, ""),
    ("create storage.k8s.io csinodes", "", "", True, ""),
    ("get storage.k8s.io csinodes", "", "n2", False,
     "can only access CSINode with the same name as the requesting node"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "namespace", "name", "allowed", "reason"), TABLE)
def test_what_a_node_may_do(text, namespace, name, allowed, reason) -> None:
    async def main() -> None:
        registry = await world()
        node = Node(NodeReferences(registry.cache))
        decision = node.authorize(asks(N1, text, namespace, name))
        assert (decision.allowed, decision.reason) == (allowed, reason)
        await registry.close()

    virtual.run(main())


def local_volume(name: str, node: str, by: str = "kubemu.dev/local"):
    hostname = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": by}},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/x"}, "persistentVolumeReclaimPolicy": "Delete",
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [hostname]}]}},
        },
    }  # fmt: skip


def test_a_node_follows_the_volumes_whose_data_it_holds_until_they_are_gone() -> None:
    async def main() -> None:
        registry = await world()
        for made in (
            local_volume("pvc-1", "n1"), local_volume("pvc-2", "n2"),
            local_volume("pvc-3", "n1", "example.com/csi"),
        ):  # fmt: skip
            name, body = made["metadata"]["name"], codec.document(made)
            await registry.one(
                Operation(Verb.CREATE, "persistentvolumes", "", name, body=body), USER
            )
        node = Node(NodeReferences(registry.cache))

        def allowed(verb: str, name: str) -> bool:
            return node.authorize(asks(N1, f"{verb} core persistentvolumes", "", name)).allowed

        assert [allowed(verb, "pvc-1") for verb in ("get", "list", "watch")] == [True] * 3
        assert not any(allowed(verb, "pvc-1") for verb in ("update", "patch", "delete"))
        for name in ("pvc-2", "pvc-3", "other", ""):
            assert not any(allowed(verb, name) for verb in ("get", "list", "watch"))
        # Of one that is gone, a node learns that it is gone, and nothing about later ones.
        assert [allowed(verb, "pvc-9") for verb in ("get", "list", "watch")] == [True, False, False]
        await registry.close()

    virtual.run(main())


def test_who_is_no_node_is_none_of_its_business() -> None:
    async def main() -> None:
        registry = await world()
        node = Node(NodeReferences(registry.cache))
        for user in (FAKE, identity.User("jane", ("system:nodes",))):
            assert not node.authorize(asks(user, "get core pods", "default", "p1")).allowed
        await registry.close()

    virtual.run(main())


def test_lists_must_select_what_is_the_nodes_own_from_1_32_on() -> None:
    async def main() -> None:
        registry = await world()
        new, old = (Node(NodeReferences(registry.cache), minor) for minor in (32, 31))
        everything = asks(N1, "list core pods")
        own = everything._replace(fields="status.phase!=Failed,spec.nodeName=n1")
        other = everything._replace(fields="spec.nodeName=n2")
        assert [new.authorize(asked).allowed for asked in (everything, own, other)] == [
            False, True, False,
        ]  # fmt: skip
        assert old.authorize(everything).allowed
        await registry.close()

    virtual.run(main())


def test_what_a_gone_pod_referred_to_is_no_longer_to_be_seen() -> None:
    async def main() -> None:
        registry = await world()
        node = Node(NodeReferences(registry.cache))
        asked = asks(N1, "get core secrets", "default", "s1")
        assert node.authorize(asked).allowed
        await put(registry, Verb.DELETE, pod("p1", "n1"))
        await asyncio.sleep(1)
        assert not node.authorize(asked).allowed
        await put(registry, Verb.CREATE, pod("p3", "n1", secret="s1"))
        assert node.authorize(asked).allowed
        await registry.close()

    virtual.run(main())
