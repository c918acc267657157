"""Who names parameters in a policy or a binding has to be allowed to read them."""

import asyncio
import random

import policy_world as pw
import pytest
import registry_world as rw

from cluster.aio import clock, virtual
from cluster.api import errors, identity, resources
from cluster.apiserver.authz import modes
from cluster.apiserver.registry import Registry
from cluster.storage.memory import MemoryStorage

USER = identity.User("jane", ("system:authenticated",))
KIND = {"apiVersion": "v1", "kind": "ConfigMap"}
READER = {
    "metadata": {"name": "reader"},
    "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
}
GRANT = {
    "metadata": {"name": "reader"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}],
}


def run(test):
    async def main():
        store = MemoryStorage()
        await store.open()
        registry = Registry(
            resources.built_in(),
            store,
            clock=clock.LoopClock(asyncio.get_running_loop(), rw.EPOCH),
            random=random.Random(1),
            authorization=(modes.RBAC,),
        )
        await registry.open()
        try:
            await test(registry)
        finally:
            await registry.close()

    virtual.run(main())


async def make(registry, resource, obj, user=USER):
    (result,) = await registry.write([rw.create(resource, obj, "")], user)
    if isinstance(result, errors.StatusError):
        raise result


def test_parameters_may_be_named_by_who_can_read_them():
    async def test(registry):
        policy = pw.policy("params != null", paramKind=KIND)
        binding = pw.binding(paramRef={"name": "x", "parameterNotFoundAction": "Deny"})
        with pytest.raises(errors.Invalid) as caught:
            await make(registry, pw.VALIDATING, policy)
        assert caught.value.message == (
            'ValidatingAdmissionPolicy.admissionregistration.k8s.io "policy" is invalid: '
            "spec.paramKind: Forbidden: user &{jane  [system:authenticated] map[]} must have "
            '"get" permission on all objects of the referenced paramKind (kind=ConfigMap, '
            "apiVersion=v1)"
        )
        with pytest.raises(errors.Invalid, match="on the object referenced by paramRef"):
            await make(registry, pw.BINDINGS, binding)
        admin = identity.User("admin", (identity.MASTERS,))
        await make(registry, "clusterroles.rbac.authorization.k8s.io", READER, admin)
        await make(registry, "clusterrolebindings.rbac.authorization.k8s.io", GRANT, admin)
        await make(registry, pw.VALIDATING, policy)
        await make(registry, pw.BINDINGS, binding)

    run(test)
