"""A server that starts puts the bootstrap policy in, and mends what somebody took away."""

import random
from contextlib import asynccontextmanager

import msgspec
import pytest

from cluster.aio import clock, virtual
from cluster.api import errors, identity, objects, resources
from cluster.api.operations import MERGE_PATCH, Operation, Verb
from cluster.apiserver.authz import rules
from cluster.apiserver.authz.attributes import Attributes
from cluster.apiserver.authz.policy import wanted
from cluster.apiserver.bootstrap import USER
from cluster.apiserver.direct import DirectTransport
from cluster.apiserver.registry import Registry
from cluster.storage.memory import MemoryStorage

ROLES = "clusterroles.rbac.authorization.k8s.io"
BINDINGS = "clusterrolebindings.rbac.authorization.k8s.io"
NOBODY = identity.User("nobody", (identity.AUTHENTICATED,))


@asynccontextmanager
async def started(store, *modes):
    registry = Registry(
        resources.built_in(), store, clock=clock.SystemClock(), random=random.Random(1),
        authorization=modes or ("Node", "RBAC"),
    )  # fmt: skip
    await registry.open()
    yield registry
    await registry.close()


async def patch(registry, resource, name, body):
    operation = Operation(
        Verb.PATCH, resource, "", name, body=msgspec.json.encode(body), patch_type=MERGE_PATCH
    )
    await registry.one(operation, USER)


def rules_of(registry, name):
    return registry.cache.get(ROLES, "", name).document()["rules"]


def test_everything_is_made_once_and_a_second_start_changes_nothing():
    async def main():
        store = MemoryStorage()
        await store.open()
        async with started(store) as registry:
            for obj in wanted():
                row = registry.table.of_kind(obj["apiVersion"], obj["kind"])
                place = (objects.namespace(obj), objects.name(obj))
                assert registry.cache.get(row.id, *place) is not None
            revision = registry.revision
        async with started(store) as registry:
            assert registry.revision == revision

    virtual.run(main())


def test_what_is_missing_comes_back_at_the_next_start():
    async def main():
        store = MemoryStorage()
        await store.open()
        own = {"verbs": ["get"], "apiGroups": ["x"], "resources": ["y"]}
        async with started(store) as registry:
            before = rules_of(registry, "system:kube-dns")
            await patch(registry, ROLES, "system:kube-dns", {"rules": [own]})
            off = {"annotations": {"rbac.authorization.kubernetes.io/autoupdate": "false"}}
            await patch(registry, ROLES, "system:monitoring", {"rules": [own], "metadata": off})
            await registry.one(Operation(Verb.DELETE, BINDINGS, "", "system:discovery"), USER)
        async with started(store) as registry:
            assert rules_of(registry, "system:kube-dns")[0] == own
            after = rules_of(registry, "system:kube-dns")
            assert rules.missing(rules.of(after), rules.of(before)) == []
            assert rules_of(registry, "system:monitoring") == [own]
            asked = Attributes(NOBODY, "get", path="/api")
            assert registry.authz.authorizer.authorize(asked).allowed

    virtual.run(main())


def test_where_rbac_is_no_mode_there_is_no_policy():
    async def main():
        store = MemoryStorage()
        await store.open()
        async with started(store, "AlwaysAllow") as registry:
            assert len(registry.cache.of(ROLES)) == 0

    virtual.run(main())


def test_a_transport_asks_for_whom_it_works():
    async def main():
        store = MemoryStorage()
        await store.open()
        async with started(store) as registry:
            transport = DirectTransport(registry, NOBODY)
            with pytest.raises(errors.Forbidden, match="cannot get resource"):
                await transport.get("namespaces", "", "default")
            with pytest.raises(errors.Forbidden, match="cannot list resource"):
                await transport.list("pods", "", labels="", fields="", limit=0, token="")
            with pytest.raises(errors.Forbidden, match="cannot watch resource"):
                async for _ in transport.watch("pods", "", revision=0, labels="", fields=""):
                    pass
            review = "selfsubjectaccessreviews.authorization.k8s.io"
            spec = {"resourceAttributes": {"verb": "get", "resource": "pods"}}
            allowed, refused, unknown = await transport.write(
                [
                    Operation(Verb.CREATE, review, body=msgspec.json.encode({"spec": spec})),
                    Operation(Verb.DELETE, "pods", "default", "x"),
                    Operation(Verb.DELETE, "cats", "default", "x"),
                ]
            )
            assert msgspec.json.decode(allowed.json)["status"] == {"allowed": False}
            assert isinstance(refused, errors.Forbidden)
            assert isinstance(unknown, errors.NotFound)

    virtual.run(main())
