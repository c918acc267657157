"""A node may get the workloads whose load its pods share, and no other workload."""

import pytest
import registry_world

from cluster.aio import virtual
from cluster.api import identity
from cluster.apiserver.authz.attributes import Attributes
from cluster.apiserver.authz.node import Node
from cluster.apiserver.authz.noderefs import NodeReferences


@pytest.mark.parametrize(
    ("node", "verb", "resource", "name", "allowed"),
    [
        ("busy", "get", "deployments", "web", True),
        ("busy", "get", "deployments", "other", False),
        ("busy", "get", "statefulsets", "web", False),
        ("busy", "list", "deployments", "", False),
        ("busy", "patch", "deployments", "web", False),
        ("idle", "get", "deployments", "web", False),
    ],
)
def test_what_a_node_may(node, verb, resource, name, allowed):
    async def main():
        async with registry_world.world() as world:
            pod = registry_world.pod(
                "p", "busy", annotations={"kubemu.dev/load-from": "deployment/web"}
            )
            await world.create("pods", pod)
            user = identity.User(f"system:node:{node}", ("system:nodes",))
            asked = Attributes(user, verb, "apps", "v1", resource, "", "default", name)
            decision = Node(NodeReferences(world.registry.cache)).authorize(asked)
            assert decision.allowed is allowed

    virtual.run(main())
